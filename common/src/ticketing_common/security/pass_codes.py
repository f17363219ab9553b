"""The code of a pass: a compact JWS (RFC 7515) with EdDSA over Ed25519 (RFC 8037). docs/passes.md is its description.

Only orders signs. Verifying needs only the public keys, without a network.
"""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, Literal, Self

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ticketing_common.entity import ID_PATTERN
from ticketing_common.errors import InvalidInputError

ALGORITHM: Final = "EdDSA"
MAX_PASS_CODE: Final = 512
"""Characters. Our codes have about 300."""
_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}", re.ASCII)
"""Three parts in base64url without padding (RFC 7515, section 7.1). PyJWT accepts padding, and refuses unused bits that
are not zero, so each pass has one code for each key."""
MAX_STARTS: Final = 253_402_300_799
"""The last second of the year 9999."""


class PassCodeError(InvalidInputError):
    """The code is not a pass of this marketplace; `detail` says why."""

    title = "Not a pass"
    field = "code"


@dataclass(frozen=True, slots=True)
class PassClaims:
    """What a code says: one seat of one listing, and no personal data.

    `starts_at` is the time of the event in UTC, to the second; None for an event without a time.
    """

    pass_id: str
    ticket_id: str
    seat: int
    starts_at: datetime | None = None


class PublicKey(BaseModel):
    """A public key as JWK (RFC 7517; RFC 8037, section 2). `kid` is its thumbprint (RFC 7638)."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: str
    kid: str
    use: Literal["sig"]
    alg: Literal["EdDSA"]


class _Payload(BaseModel):
    """The claims as JSON. Unknown claims are ignored, so that later versions may add some."""

    model_config = ConfigDict(strict=True)

    pass_id: str = Field(alias="pass", pattern=ID_PATTERN)
    ticket: str = Field(pattern=ID_PATTERN)
    seat: int = Field(ge=1, lt=2**31)
    starts: int | None = Field(default=None, ge=0, le=MAX_STARTS)


class PassSigner:
    """Signs codes. Ed25519 is deterministic, so the same claims and key always give the same code."""

    def __init__(self, private_key_pem: str) -> None:
        wrong = "PASS_KEY must be an Ed25519 private key in PEM"
        try:
            key = load_pem_private_key(private_key_pem.encode(), password=None)
        except (ValueError, TypeError) as error:
            raise ValueError(wrong) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError(wrong)
        self._key = key
        self.public_key = key.public_key()
        self._headers = {"kid": _thumbprint(self.public_key), "typ": ""}  # no `typ`: PyJWT's default says JWT
        self._jws = jwt.PyJWS([ALGORITHM])

    def sign(self, claims: PassClaims) -> str:
        """The code of a pass."""
        payload: dict[str, str | int] = {"pass": claims.pass_id, "ticket": claims.ticket_id, "seat": claims.seat}
        if claims.starts_at is not None:
            payload["starts"] = int(claims.starts_at.timestamp())
        content = json.dumps(payload, separators=(",", ":")).encode()
        return self._jws.encode(content, self._key, ALGORITHM, headers=self._headers)


class PassKeys:
    """The public keys of the marketplace. Several are valid at a time, so that older passes outlive a change of keys.

    The algorithm is fixed here and never taken from the code (RFC 8725, section 3.1).
    """

    def __init__(self, keys: Iterable[Ed25519PublicKey]) -> None:
        self._keys = {_thumbprint(key): key for key in keys}
        if not self._keys:
            raise ValueError("There is no Ed25519 public key.")
        self._jws = jwt.PyJWS([ALGORITHM])

    @classmethod
    def of(cls, signer: PassSigner, earlier_pem: Sequence[str]) -> Self:
        """The key of the signer and those that earlier passes were signed with; raises `ValueError` for others."""
        return cls([signer.public_key, *(_parsed(pem, "PASS_PUBLIC_KEYS") for pem in earlier_pem)])

    @classmethod
    def from_jwk_set(cls, document: object) -> Self:
        """The keys of a JWK set; keys of other types are ignored (RFC 7517, section 5). Raises `ValueError`."""
        if not isinstance(document, Mapping) or not isinstance(document.get("keys"), list):
            raise ValueError("This is not a JWK set.")
        return cls(_public_key(jwk) for jwk in document["keys"] if _is_ed25519(jwk))

    def have_any_of(self, public_keys_pem: Sequence[str]) -> bool:
        """Whether one of these Ed25519 keys is among them."""
        return any(_thumbprint(_parsed(pem, "a public key")) in self._keys for pem in public_keys_pem)

    def jwk_set(self) -> list[PublicKey]:
        """The members of the JWK set, the key of new passes first."""
        return [
            PublicKey(kty="OKP", crv="Ed25519", x=_x(key), kid=kid, use="sig", alg="EdDSA")
            for kid, key in self._keys.items()
        ]

    def verify(self, code: str) -> PassClaims:
        """What the code says; raises `PassCodeError` when it is not signed by one of these keys.

        Whether the pass is still valid, and not used yet, is only known to orders.
        """
        if len(code) > MAX_PASS_CODE:
            raise PassCodeError("The code is too long for a pass.")
        if not _COMPACT.fullmatch(code):
            raise PassCodeError("This is not the code of a pass.")
        try:
            kid = self._jws.get_unverified_header(code).get("kid")
            key = self._keys.get(kid) if isinstance(kid, str) else None
            if key is None:
                raise PassCodeError("The code is signed with an unknown key.")
            signed = self._jws.decode(code, key, algorithms=[ALGORITHM])
            payload = _Payload.model_validate_json(signed)
        except jwt.InvalidSignatureError:
            raise PassCodeError("The signature of the code is wrong.") from None
        except jwt.InvalidAlgorithmError:
            raise PassCodeError("The code is signed with another algorithm than EdDSA.") from None
        except ValidationError:
            raise PassCodeError("The code is signed, and does not describe a pass.") from None
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            raise PassCodeError("This is not the code of a pass.") from None
        starts_at = None if payload.starts is None else datetime.fromtimestamp(payload.starts, UTC)
        return PassClaims(payload.pass_id, payload.ticket, payload.seat, starts_at)


def _parsed(public_key_pem: str, name: str) -> Ed25519PublicKey:
    wrong = f"{name} must be Ed25519, in PEM"
    try:
        key = load_pem_public_key(public_key_pem.encode())
    except ValueError as error:
        raise ValueError(wrong) from error
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(wrong)
    return key


def _is_ed25519(jwk: object) -> bool:
    return isinstance(jwk, Mapping) and jwk.get("kty") == "OKP" and jwk.get("crv") == "Ed25519"


def _public_key(jwk: Mapping[str, Any]) -> Ed25519PublicKey:
    x = jwk.get("x")
    if not isinstance(x, str):
        raise ValueError("A key of the JWK set has no x.")
    return Ed25519PublicKey.from_public_bytes(urlsafe_b64decode(x + "=" * (-len(x) % 4)))


def _x(key: Ed25519PublicKey) -> str:
    return _base64url(key.public_bytes(Encoding.Raw, PublicFormat.Raw))


def _thumbprint(key: Ed25519PublicKey) -> str:
    """RFC 7638 with the members of RFC 8037, section 2."""
    members = {"crv": "Ed25519", "kty": "OKP", "x": _x(key)}
    return _base64url(sha256(json.dumps(members, separators=(",", ":")).encode()).digest())


def _base64url(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()
