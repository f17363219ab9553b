"""Secrets of second factors: encrypted for the database, and as a QR code for the authenticator app."""

import base64
import binascii
from collections.abc import Sequence
from secrets import token_bytes
from typing import Final, NamedTuple

import segno
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pyotp import TOTP, random_base32

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
"""96 bits (NIST SP 800-38D §8.2); random ones are safe for 2^32 secrets with one key."""
SECRET_CHARACTERS: Final = 32
"""160 bits in base32, as RFC 4226 §4 recommends."""
ISSUER: Final = "Ticketing"
MASK: Final = 3
"""Any of the eight is valid (ISO/IEC 18004); comparing all of them takes most of the time."""


class Opened(NamedTuple):
    """A decrypted secret; `is_outdated` if another key than the first encrypted it."""

    secret: str
    is_outdated: bool


class SecretVault:
    """Encrypts secrets with AES-256-GCM. The account's id is authenticated data, so that a secret that is copied into
    another account's document cannot be decrypted there.

    Each of `keys` is 32 bytes in base64. The first encrypts, all decrypt. Raises `ValueError` for another length.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._ciphers = [AESGCM(_key(text)) for text in keys]
        if not self._ciphers:
            raise ValueError("SECOND_FACTOR_KEYS must have at least one key")

    def seal(self, secret: str, *, account_id: str) -> str:
        """The secret as it is stored."""
        nonce = token_bytes(NONCE_BYTES)
        sealed = self._ciphers[0].encrypt(nonce, secret.encode(), account_id.encode())
        return base64.b64encode(nonce + sealed).decode()

    def open(self, sealed: str, *, account_id: str) -> Opened | None:
        """The stored secret of this account. None if no key decrypts it, or if it was altered."""
        data = base64.b64decode(sealed)
        for number, cipher in enumerate(self._ciphers):
            try:
                secret = cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], account_id.encode())
            except InvalidTag:
                continue
            return Opened(secret.decode(), is_outdated=number > 0)
        return None


def new_secret() -> str:
    """A new random secret in base32."""
    return random_base32(SECRET_CHARACTERS)


def otpauth_uri(secret: str, *, email: str) -> str:
    """The address that authenticator apps read (`otpauth://totp/…`): secret, issuer and account."""
    return TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER)


def qr_code(text: str) -> str:
    """A QR code as a `data:` URI with an SVG. White is drawn too: cameras need the contrast also on a dark page."""
    code = segno.make_qr(text, error="m", mask=MASK, boost_error=False)
    return code.svg_data_uri(omitsize=True, light="#fff")


def _key(text: str) -> bytes:
    wrong = f"SECOND_FACTOR_KEYS must be keys of {KEY_BYTES} bytes in base64"
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError(wrong) from None
    if len(key) != KEY_BYTES:
        raise ValueError(wrong)
    return key
