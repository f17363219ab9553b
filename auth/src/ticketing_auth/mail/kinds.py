"""The kinds of mail, and the rules of each."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from ticketing_auth.domain import User


class MailKind(StrEnum):
    """What a mail is about."""

    # Each kind has a template, `templates/<kind>.jinja`; its first line is the subject.
    VERIFY = "verify"
    RESET = "reset"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 (a name)
    SECOND_FACTOR = "second_factor"
    """It was turned on or off, got new recovery codes, a recovery code was used, or too many codes
    were wrong."""
    ORDER_COMPLETE = "order_complete"
    HOLD_EXPIRED = "hold_expired"
    HOLD_ENDED = "hold_ended"
    """The listing of an unpaid order was withdrawn or called off."""
    PAYMENT_FAILED = "payment_failed"
    EVENT_CANCELLED = "event_cancelled"
    """The event of a paid order was called off."""
    REFUNDED = "refunded"
    SOLD = "sold"
    """To the seller."""
    SALE_CANCELLED = "sale_cancelled"
    """To the seller: a sale was undone by a refund or a failed payment."""


@dataclass(frozen=True, kw_only=True)
class MailRules:
    """How long a mail is tried, from its request on, and how many mails of its kind an account gets in an hour."""

    give_up_after: timedelta = timedelta(days=1)
    per_hour: int = 30


RULES: Final[Mapping[MailKind, MailRules]] = MappingProxyType(
    {
        **dict.fromkeys(MailKind, MailRules()),
        # A person waits for these and asks again; later than this, the mail only surprises.
        MailKind.VERIFY: MailRules(give_up_after=timedelta(hours=1), per_hour=5),
        MailKind.RESET: MailRules(give_up_after=timedelta(hours=1), per_hour=5),
        MailKind.HOLD_EXPIRED: MailRules(give_up_after=timedelta(hours=6), per_hour=5),
        MailKind.SOLD: MailRules(per_hour=10),
    }
)


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A requested mail. It has no address: the worker looks up the account's address when it sends the mail."""

    id: str
    """`<kind>:<fact>`, so a fact has at most one mail of a kind."""
    kind: MailKind
    user_id: str
    values: Mapping[str, Any]
    """What the request stored for the templates. Never a secret."""
    attempts: int
    requested_at: datetime
    traceparent: str | None = None

    @property
    def fact(self) -> str:
        """The fact that the mail is about."""
        return self.id.partition(":")[2]


Values: TypeAlias = Callable[[Mail, User], Awaitable[Mapping[str, Any] | None]]
"""Makes the values for the templates of a kind when a mail is rendered, at every attempt. None: no longer wanted.

A secret, such as a token in a link, is created here and is in the mail only. An error is handled like a mail server
that is unavailable: the mail is tried again later.
"""
