"""What auth signs for itself: names of accounts in counts and logs, and tokens of known devices.

Both keys are derived from the private key of the sessions (HKDF, RFC 5869), so there is no further secret to keep. When
JWT_KEY is replaced, counts of wrong passwords begin anew, and a device is known again after its next sign-in.
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

__all__ = ["AccountNames", "DeviceTokens"]

ALGORITHM: Final = "HS256"
AUDIENCE: Final = "ticketing-auth-device"
NAME_DIGITS: Final = 32


class AccountNames:
    """Names an account by its e-mail, whether it exists or not, without telling the e-mail to a reader."""

    def __init__(self, secret: str) -> None:
        self._key = _derive(secret, "account names")

    def of(self, email: str) -> str:
        """32 hex digits; `email` is in its normal form."""
        return hmac.new(self._key, email.encode("utf-8", "surrogatepass"), sha256).hexdigest()[:NAME_DIGITS]


class DeviceTokens:
    """A token for a browser that has signed in to an account (OWASP, "Slow Down Online Guessing with Device Cookies").

    It proves nothing but that. Whoever has it still needs the password.
    """

    def __init__(self, secret: str, *, lifetime: timedelta) -> None:
        self._key = _derive(secret, "device tokens")
        self._lifetime = lifetime

    def sign(self, user_id: str, device_id: str | None) -> str:
        """A fresh token of this device; without an id, of a new device."""
        claims = {
            "sub": user_id,
            "aud": AUDIENCE,
            "exp": int(time.time() + self._lifetime.total_seconds()),
            "jti": device_id or token_hex(8),
        }
        return jwt.encode(claims, self._key, algorithm=ALGORITHM)

    def read(self, token: str | None, user_id: str | None) -> str | None:
        """The id of the device, if the token is valid and was signed for this user; else None."""
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
