"""Users, how their e-mail is written, and for how long a session goes on."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Self

from email_validator import validate_email

from ticketing_common.entity import Entity

__all__ = ["DEVICE_DAYS", "SESSION_DAYS", "GuessRules", "SessionRules", "User", "normalized_email"]

RENEW_AFTER: Final = 1 / 3
"""A token younger than this share of its life is not replaced, so that not every page view sets a cookie."""

SESSION_DAYS: Final = 7
"""How long after the password was given a session is renewed."""
DEVICE_DAYS: Final = 180
"""How long after its last sign-in a browser is known to an account; browsers keep a cookie for 400 days at most."""

DEVICES_SHARE: Final = 5
DEVICE_SHARE: Final = 10


@dataclass(kw_only=True)
class User(Entity):
    """Somebody with an account. `email` is in its normal form; the hash is a secret, and stays out of any `repr`."""

    email: str
    password_hash: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class SessionRules:
    """A token lives for `lifetime`, and is renewed for as long as its password was given less than `renewable` ago."""

    lifetime: timedelta
    renewable: timedelta

    def renewal_due(self, *, signed_in_at: datetime, expires_at: datetime, now: datetime) -> bool:
        """Whether a token is old enough to be replaced, and its session not too old for it."""
        age = now - (expires_at - self.lifetime)
        return age > self.lifetime * RENEW_AFTER and now < signed_in_at + self.renewable

    def forgotten_at(self, *, signed_in_at: datetime) -> datetime:
        """From when on no token of a session can be valid: its last renewal and that token's life lie behind.

        A whole life is added to it for renewals under way, leeway and clocks that differ.
        """
        return signed_in_at + self.renewable + 2 * self.lifetime


@dataclass(frozen=True, kw_only=True)
class GuessRules:
    """How many wrong passwords an account takes within `window`, which moves.

    Browsers that have signed in to the account before (known devices) have a share of their own, so strangers cannot
    lock the owner out. Both shares together are the limit. A known device alone has half of the devices' share: with
    one stolen device cookie the other devices are not locked out either.
    """

    window: timedelta
    strangers: int
    devices: int
    each_device: int

    @classmethod
    def of(cls, amount: int, window: timedelta) -> Self:
        """The shares of a limit of `amount`, 10 at least."""
        devices = amount // DEVICES_SHARE
        return cls(window=window, strangers=amount - devices, devices=devices, each_device=amount // DEVICE_SHARE)


def normalized_email(value: str) -> str:
    """The one way to write an e-mail here: trimmed, lower case, Unicode in its composed form, the domain decoded.

    RFC 5321 leaves the case of the local part to its host, but no host that matters tells `Ann@` from `ann@`, and two
    accounts for one mailbox would be a trap.

    Raises `email_validator.EmailNotValidError` (a ValueError). No mail is sent, so nobody asks whether the domain
    exists, and `.test` (RFC 2606) may have accounts.
    """
    return validate_email(value.strip().lower(), check_deliverability=False, test_environment=True).normalized
