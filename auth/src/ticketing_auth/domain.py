"""Users, the normal form of an e-mail, and the rules of sessions and password guesses."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Self

from email_validator import validate_email

from ticketing_common.entity import Entity

__all__ = ["DEVICE_DAYS", "SESSION_DAYS", "GuessRules", "SessionRules", "User", "normalized_email"]

RENEW_AFTER: Final = 1 / 3
"""A token younger than this share of its lifetime is not renewed, so that not every page view sets a cookie."""

SESSION_DAYS: Final = 7
"""How long after the sign-in a session is renewed."""
DEVICE_DAYS: Final = 180
"""How long after its last sign-in a browser is a known device; browsers keep a cookie for 400 days at most."""

DEVICES_SHARE: Final = 5
DEVICE_SHARE: Final = 10


@dataclass(kw_only=True)
class User(Entity):
    """An account. `email` is in its normal form. The hash is secret, and no `repr` shows it."""

    email: str
    password_hash: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class SessionRules:
    """A token is valid for `lifetime`. It is renewed until `renewable` after the sign-in."""

    lifetime: timedelta
    renewable: timedelta

    def renewal_due(self, *, signed_in_at: datetime, expires_at: datetime, now: datetime) -> bool:
        """Whether a token is old enough for a renewal, and its session is not too old. All times are UTC."""
        age = now - (expires_at - self.lifetime)
        return age > self.lifetime * RENEW_AFTER and now < signed_in_at + self.renewable

    def forgotten_at(self, *, signed_in_at: datetime) -> datetime:
        """The time (UTC) from which no token of a session can be valid: one lifetime after its last possible renewal.

        A second lifetime is added for renewals in progress, for the verifier's leeway, and for clock differences.
        """
        return signed_in_at + self.renewable + 2 * self.lifetime


@dataclass(frozen=True, kw_only=True)
class GuessRules:
    """The maximum number of wrong passwords of an account within `window`, a sliding window.

    Browsers that have signed in to the account before (known devices) have a separate share, so strangers cannot lock
    out the owner. Both shares together are the limit. One known device has half of the devices' share, so one stolen
    device cookie does not lock out the other devices.
    """

    window: timedelta
    strangers: int
    devices: int
    each_device: int

    @classmethod
    def of(cls, amount: int, window: timedelta) -> Self:
        """The shares of a limit of `amount`, which is at least 10."""
        devices = amount // DEVICES_SHARE
        return cls(window=window, strangers=amount - devices, devices=devices, each_device=amount // DEVICE_SHARE)


def normalized_email(value: str) -> str:
    """The normal form of an e-mail: trimmed, lower case, Unicode in its composed form, the domain decoded.

    By RFC 5321 the host decides about the case of the local part. No common host distinguishes `Ann@` from `ann@`, and
    two accounts for one mailbox would confuse their owner.

    Raises `email_validator.EmailNotValidError` (a `ValueError`). No mail is sent, so the domain's existence is not
    checked, and addresses in `.test` (RFC 2606) are accepted.
    """
    return validate_email(value.strip().lower(), check_deliverability=False, test_environment=True).normalized
