"""The second factor of an account: time-based one-time passwords (RFC 6238), and recovery codes for a lost device."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from secrets import choice
from typing import Final, Self

from pyotp import TOTP

STEP_SECONDS: Final = 30
"""A code is made for each step (RFC 6238 §4.1; OWASP ASVS 5.0, V6.5.5)."""
DRIFT_STEPS: Final = 1
"""Steps before and after the present one whose codes are accepted, for clocks that differ (RFC 6238 §5.2)."""
ENROLMENT: Final = timedelta(minutes=10)
"""How long a new secret may wait for the first code."""

RECOVERY_CODES: Final = 10
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
"""Base32 (RFC 4648 §6), without digits that look like letters."""
_LENGTH: Final = 24
"""120 random bits: from 112 on, a plain hash is enough (OWASP ASVS 5.0, V6.5.2)."""
_GROUP: Final = 4
_CODE: Final = re.compile(rf"[0-9]{{6}}|[{_ALPHABET}]{{{_LENGTH}}}")


@dataclass(frozen=True, kw_only=True)
class PendingFactor:
    """A new secret that no code has confirmed. No sign-in asks for it or accepts it."""

    sealed_secret: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class SecondFactor:
    """A second factor that is on. `last_step` is the step of the last accepted code: no step is accepted twice, and
    none before it. Recovery codes are stored as SHA-256, and each is removed when it is used.
    """

    sealed_secret: str = field(repr=False)
    enabled_at: datetime
    last_step: int
    recovery_hashes: tuple[str, ...] = field(repr=False)

    def without_recovery_code(self, code: str) -> Self | None:
        """The factor after the use of a recovery code in its plain form; None if it is not one of those left."""
        used = _digest(code)
        left = tuple(one for one in self.recovery_hashes if not compare_digest(one, used))
        return replace(self, recovery_hashes=left) if len(left) < len(self.recovery_hashes) else None

    def with_recovery_codes(self, codes: Sequence[str]) -> Self:
        """The factor with new recovery codes; the former ones are void."""
        return replace(self, recovery_hashes=hashes_of(codes))


def plain_code(text: str) -> str | None:
    """The code without spaces and hyphens, in upper case. None if no code has this form.

    Digits of other scripts are refused: `int` and `\\d` would take them for ASCII digits.
    """
    if not text.isascii():
        return None
    plain = text.replace(" ", "").replace("-", "").upper()
    return plain if _CODE.fullmatch(plain) else None


def is_recovery_code(code: str) -> bool:
    """Whether a code in its plain form is a recovery code."""
    return len(code) == _LENGTH


def matching_step(secret: str, code: str, *, now: datetime, after: int = -1) -> int | None:
    """The step later than `after` whose code this is, at most one from the present one; None if there is none.

    `secret` is in base32, `now` in UTC.
    """
    totp = TOTP(secret, interval=STEP_SECONDS)
    present = int(now.timestamp()) // STEP_SECONDS
    for step in range(max(present - DRIFT_STEPS, after + 1), present + DRIFT_STEPS + 1):
        if compare_digest(totp.generate_otp(step), code):
            return step
    return None


def new_recovery_codes() -> list[str]:
    """Ten codes as their owner writes them down: six groups of four."""
    return [
        "-".join("".join(choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_LENGTH // _GROUP))
        for _ in range(RECOVERY_CODES)
    ]


def hashes_of(codes: Sequence[str]) -> tuple[str, ...]:
    """The hashes that are stored for these codes."""
    return tuple(_digest(code.replace("-", "")) for code in codes)


def _digest(code: str) -> str:
    return sha256(code.encode()).hexdigest()
