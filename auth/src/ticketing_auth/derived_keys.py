"""Keyed names of accounts for counts and logs, and signed tokens of known devices.

Both keys are derived from the sessions' private key (HKDF, RFC 5869), so there is no further secret to keep. A new
JWT_KEY resets the counts of wrong passwords, and makes each device unknown until its next sign-in.
"""

import hmac
import time
from datetime import timedelta
from hashlib import sha256
from secrets import token_hex
from typing import Final

import jwt
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ALGORITHM: Final = "HS256"
AUDIENCE: Final = "ticketing-auth-device"
NAME_DIGITS: Final = 32


class AccountNames:
    """Names an account by a keyed hash of its e-mail, which does not reveal the e-mail. The account need not exist."""

    def __init__(self, secret: str) -> None:
        self._key = _derive(secret, "account names")

    def of(self, email: str) -> str:
        """32 hex digits; `email` is in its normal form."""
        return hmac.new(self._key, email.encode("utf-8", "surrogatepass"), sha256).hexdigest()[:NAME_DIGITS]


class DeviceTokens:
    """Tokens for browsers that have signed in to an account (OWASP, "Slow Down Online Guessing with Device Cookies").

    A token proves an earlier sign-in only. Its holder still needs the password.
    """

    def __init__(self, secret: str, *, lifetime: timedelta) -> None:
        self._key = _derive(secret, "device tokens")
        self._lifetime = lifetime

    def sign(self, user_id: str, device_id: str | None) -> str:
        """A new token of this device, or of a new device if `device_id` is None."""
        claims = {
            "sub": user_id,
            "aud": AUDIENCE,
            "exp": int(time.time() + self._lifetime.total_seconds()),
            "jti": device_id or token_hex(8),
        }
        return jwt.encode(claims, self._key, algorithm=ALGORITHM)

    def read(self, token: str | None, user_id: str | None) -> str | None:
        """The device's id if the token is valid and was signed for this user, else None."""
        if token is None:
            return None
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                options={"require": ["sub", "aud", "exp", "jti"]},
            )
        except jwt.InvalidTokenError:
            return None
        return str(claims["jti"]) if claims["sub"] == user_id else None


def _derive(secret: str, purpose: str) -> bytes:
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"ticketing-auth {purpose}".encode())
    return hkdf.derive(secret.strip().encode())
