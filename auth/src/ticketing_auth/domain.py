"""Users, the normal form of an e-mail, and the rules of sessions, one-time tokens and password guesses."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final, Self

from email_validator import validate_email

from ticketing_common.entity import Entity
from ticketing_common.events import RevocationReason

from .second_factor import PendingFactor, SecondFactor

RENEW_AFTER: Final = 1 / 3
"""A token younger than this share of its lifetime is not renewed, so that not every page view sets a cookie."""

SESSION_DAYS: Final = 7
"""How long after the sign-in a session is renewed."""
DEVICE_DAYS: Final = 180
"""How long after its last sign-in a browser is a known device; browsers keep a cookie for 400 days at most."""

DEVICES_SHARE: Final = 5
DEVICE_SHARE: Final = 10

TOKEN_MINUTES: Final = 30
"""How long a one-time token in a mail is valid."""


class TokenPurpose(StrEnum):
    """What a one-time token permits. A token of one purpose is unknown to the other."""

    VERIFY_EMAIL = "verify_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105 (a purpose, not a password)


@dataclass(kw_only=True)
class User(Entity):
    """An account. `email` is in its normal form. The hash is secret, and no `repr` shows it.

    `session_epoch` counts how often all sessions were ended, the last time at `sessions_revoked_at`: sessions of a
    lower epoch are over. `second_factor_changes` counts the changes of the second factor that its
    owner gets a mail about. A deleted account keeps its id, and neither its e-mail, its hash nor its second factor.
    """

    email: str
    password_hash: str = field(repr=False)
    email_verified: bool = False
    session_epoch: int = 0
    sessions_revoked_at: datetime | None = None
    tokens_end_at: datetime | None = None
    revocation_reason: RevocationReason | None = None
    second_factor: SecondFactor | None = None
    pending_factor: PendingFactor | None = None
    second_factor_changes: int = 0
    deleted_at: datetime | None = None

    @property
    def password_key(self) -> str:
        """Identifies the present password without revealing it: one-time tokens are bound to it."""
        return sha256(self.password_hash.encode()).hexdigest()

    def has_session(self, *, epoch: int | None, signed_in_at: datetime) -> bool:
        """Whether a session of this epoch is still open.

        The epoch is exact, whatever the clocks of the replicas say. A token from before accounts had an epoch (None) is
        compared by its time, which has whole seconds: it is over if its sign-in may have been before the revocation.
        """
        if self.deleted_at is not None:
            return False
        if epoch is None:
            return self.sessions_revoked_at is None or signed_in_at >= self.sessions_revoked_at
        return epoch >= self.session_epoch

    def revoke_sessions(self, reason: RevocationReason, rules: "SessionRules", *, now: datetime) -> None:
        """End every session and every API token of this account."""
        self.session_epoch += 1
        self.sessions_revoked_at = now
        self.tokens_end_at = rules.tokens_end_at(revoked_at=now)
        self.revocation_reason = reason

    def delete(self, rules: "SessionRules", *, now: datetime) -> None:
        """Remove the personal data, and end all sessions; final. The e-mail may sign up again, as a new account.

        The unique index on `email` needs a value, so a text without `@` replaces it, which is never an e-mail.
        """
        self.email = f"deleted:{self.id}"
        self.password_hash = ""
        self.second_factor = None
        self.pending_factor = None
        self.email_verified = False
        self.deleted_at = now
        self.revoke_sessions(RevocationReason.DELETED, rules, now=now)


@dataclass(frozen=True, kw_only=True)
class SessionRules:
    """A token is valid for `lifetime`. It is renewed until `renewable` after the sign-in."""

    lifetime: timedelta
    renewable: timedelta

    def renewal_due(
        self, *, signed_in_at: datetime, expires_at: datetime, now: datetime, is_outdated: bool = False
    ) -> bool:
        """Whether a token is old enough for a renewal, or outdated, and its session is not too old. Times are UTC."""
        age = now - (expires_at - self.lifetime)
        return (is_outdated or age > self.lifetime * RENEW_AFTER) and now < signed_in_at + self.renewable

    def tokens_end_at(self, *, revoked_at: datetime) -> datetime:
        """The time (UTC) from which no token of a revoked session can be valid.

        A second lifetime is added for renewals in progress, for the verifier's leeway, and for clock differences.
        """
        return revoked_at + 2 * self.lifetime

    def forgotten_at(self, *, signed_in_at: datetime) -> datetime:
        """The time (UTC) from which no token of a session can be valid: one lifetime after its last possible renewal.

        A second lifetime is added for renewals in progress, for the verifier's leeway, and for clock differences.
        """
        return signed_in_at + self.renewable + 2 * self.lifetime


@dataclass(frozen=True, kw_only=True)
class GuessRules:
    """The maximum number of wrong passwords, or wrong codes, of an account within `window`, a sliding window.

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

    @classmethod
    def of_codes(cls, amount: int, window: timedelta) -> Self:
        """The shares of a limit of wrong codes: `amount` for strangers, and as many for known devices.

        Only a caller with the right password reaches this count, and people mistype codes more often than an attacker
        may guess, so the devices' share is not a part of the strangers'.
        """
        return cls(window=window, strangers=amount, devices=amount, each_device=max(1, amount // 2))


def normalized_email(value: str) -> str:
    """The normal form of an e-mail: trimmed, lower case, Unicode in its composed form, the domain decoded.

    By RFC 5321 the host decides about the case of the local part. No common host distinguishes `Ann@` from `ann@`, and
    two accounts for one mailbox would confuse their owner.

    Raises `email_validator.EmailNotValidError` (a `ValueError`). No mail is sent, so the domain's existence is not
    checked, and addresses in `.test` (RFC 2606) are accepted.
    """
    return validate_email(value.strip().lower(), check_deliverability=False, test_environment=True).normalized
