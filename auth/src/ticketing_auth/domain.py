"""Users, how their e-mail is written, and for how long a session goes on."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from email_validator import validate_email

from ticketing_common.entity import Entity

__all__ = ["SessionRules", "User", "normalized_email"]

RENEW_AFTER: Final = 1 / 3
"""A token younger than this share of its life is not replaced, so that not every page view sets a cookie."""


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


def normalized_email(value: str) -> str:
    """The one way to write an e-mail here: trimmed, lower case, Unicode in its composed form, the domain decoded.

    RFC 5321 leaves the case of the local part to its host, but no host that matters tells `Ann@` from `ann@`, and two
    accounts for one mailbox would be a trap.

    Raises `email_validator.EmailNotValidError` (a ValueError). No mail is sent, so nobody asks whether the domain
    exists, and `.test` (RFC 2606) may have accounts.
    """
    return validate_email(value.strip().lower(), check_deliverability=False, test_environment=True).normalized
