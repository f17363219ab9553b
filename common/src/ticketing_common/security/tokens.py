"""Ed25519 JSON Web Tokens (RFC 7519, RFC 8037): auth signs them, all services verify them."""

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from jwt.algorithms import OKPAlgorithm
from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey

from ticketing_common.errors import UnauthenticatedError

AUDIENCE: Final = "ticketing"
"""The claim `aud` of the tokens of this marketplace (RFC 7519 §4.1.3)."""
ALGORITHM: Final = "EdDSA"
LEEWAY_SECONDS: Final = 5
REMEMBERED_TOKENS: Final = 10_000
MAX_TOKEN: Final = 4_096
"""Characters. Our tokens have about 700, at most 1,800 (the longest e-mail, non-Latin); browsers store no more."""
EPOCH_CLAIM: Final = "session_epoch"
"""A private claim (RFC 7519 §4.3): see `SessionRevocations`."""
REQUIRED_CLAIMS: Final = ["sub", "email", "iss", "aud", "iat", "exp", "auth_time", "jti"]


@dataclass(frozen=True, slots=True)
class User:
    """The user that a token names. Times are UTC; `signed_in_at` is the time of the password check.

    `session_id` (claim `sid` of OpenID Connect Front-Channel Logout 1.0 §3) is the same in all tokens that renew one
    another; None for a token that stands alone. `session_epoch` is the account's number of revocations when the session
    began; None in a token from before accounts had one.
    """

    id: str
    email: str
    token_id: str
    signed_in_at: datetime
    expires_at: datetime
    session_id: str | None = None
    email_verified: bool = False
    session_epoch: int | None = None

    @property
    def session_key(self) -> str:
        """Identifies the session, or the token if it has no session."""
        return self.session_id or self.token_id


class TokenSigner:
    """Signs tokens; only auth uses it."""

    def __init__(self, private_key_pem: str, *, issuer: str, audience: str, lifetime_seconds: int) -> None:
        key = load_pem_private_key(private_key_pem.encode(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("JWT_KEY must be an Ed25519 private key in PEM")
        self._key = key
        self._issuer = issuer
        self._audience = audience
        self.lifetime_seconds = lifetime_seconds

    def sign(
        self,
        *,
        user_id: str,
        email: str,
        signed_in_at: datetime,
        session_id: str | None = None,
        email_verified: bool = False,
        session_epoch: int = 0,
    ) -> str:
        """A token for this user, valid from now for `lifetime_seconds`."""
        now = int(time.time())
        claims: dict[str, str | int] = {
            "sub": user_id,
            "email": email,
            "email_verified": email_verified,
            EPOCH_CLAIM: session_epoch,
            "iss": self._issuer,
            "aud": self._audience,
            "iat": now,
            "exp": now + self.lifetime_seconds,
            "auth_time": int(signed_in_at.timestamp()),
            "jti": token_hex(16),
        }
        if session_id is not None:
            claims["sid"] = session_id
        return jwt.encode(claims, self._key, algorithm=ALGORITHM)


class _Libsodium(OKPAlgorithm):
    """PyJWT's EdDSA, except that a key of libsodium verifies: in half of OpenSSL's time (measured: 57 µs, not 113)."""

    def prepare_key(self, key: Any) -> Any:
        return key if isinstance(key, VerifyKey) else super().prepare_key(key)

    def verify(self, msg: str | bytes, key: Any, sig: str | bytes) -> bool:
        if not isinstance(key, VerifyKey) or isinstance(msg, str) or isinstance(sig, str):
            return super().verify(msg, key, sig)
        try:
            key.verify(msg, sig)
        except (CryptoError, ValueError):  # ValueError: a signature of another length
            return False
        return True


jwt.unregister_algorithm(ALGORITHM)
jwt.register_algorithm(ALGORITHM, _Libsodium())


class TokenVerifier:
    """Verifies tokens; several public keys may be valid while keys rotate.

    The algorithm is fixed here and never taken from the token (RFC 8725 §3.1), which excludes `alg: none` and
    key confusion. Verified tokens are cached until they expire: a check costs 105 µs (measured).
    """

    def __init__(self, public_keys_pem: Sequence[str], *, issuer: str, audience: str) -> None:
        keys = [load_pem_public_key(pem.encode()) for pem in public_keys_pem]
        self._keys: list[Any] = [VerifyKey(key.public_bytes_raw()) for key in keys if isinstance(key, Ed25519PublicKey)]
        if not self._keys or len(self._keys) != len(keys):
            raise ValueError("JWT_PUBLIC_KEYS must hold Ed25519 public keys in PEM, at least one")
        self._issuer = issuer
        self._audience = audience
        self._verified: OrderedDict[str, User] = OrderedDict()

    def verify(self, token: str) -> User:
        """The user that a token names; raises `UnauthenticatedError` for anything but a valid token of ours."""
        if len(token) > MAX_TOKEN:
            raise UnauthenticatedError("The token is not valid.")
        remembered = self._verified.get(token)
        if remembered is not None:
            if remembered.expires_at.timestamp() + LEEWAY_SECONDS > time.time():
                return remembered
            del self._verified[token]
            raise UnauthenticatedError("The session has expired.")
        user = self._check(token)
        self._verified[token] = user
        if len(self._verified) > REMEMBERED_TOKENS:
            self._verified.popitem(last=False)
        return user

    def _check(self, token: str) -> User:
        for key in self._keys:
            try:
                claims = jwt.decode(
                    token,
                    key,
                    algorithms=[ALGORITHM],
                    issuer=self._issuer,
                    audience=self._audience,
                    leeway=LEEWAY_SECONDS,
                    options={"require": REQUIRED_CLAIMS},
                )
                return User(
                    id=str(claims["sub"]),
                    email=str(claims["email"]),
                    token_id=str(claims["jti"]),
                    signed_in_at=datetime.fromtimestamp(int(claims["auth_time"]), tz=UTC),
                    expires_at=datetime.fromtimestamp(int(claims["exp"]), tz=UTC),
                    session_id=str(claims["sid"]) if "sid" in claims else None,
                    email_verified=claims.get("email_verified") is True,
                    session_epoch=int(claims[EPOCH_CLAIM]) if EPOCH_CLAIM in claims else None,
                )
            except jwt.InvalidSignatureError:
                continue
            except jwt.ExpiredSignatureError as error:
                raise UnauthenticatedError("The session has expired.") from error
            except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError) as error:
                raise UnauthenticatedError("The token is not valid.") from error
        raise UnauthenticatedError("The token is not valid.")
