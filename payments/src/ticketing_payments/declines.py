"""Limits failed payment attempts per order and per account, because testing stolen cards takes many."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from ticketing_common.entity import seconds_until, utc_now
from ticketing_common.events import OrderData
from ticketing_common.web import Quota, quota

from .domain import Payment
from .errors import TooManyDeclinesError
from .repository import PaymentRepository
from .settings import Settings

MOST_LISTED: Final = 1_000


class DeclineLimits:
    """Counts failed attempts in the stored payments, so all replicas share one count and a restart keeps it.

    An attempt fails when the card is declined, or when another card replaces one that waits for 3-D Secure. The second
    case also shows a card tester that the first card is real.

    A unique index allows one attempt per order at a time, so the count of one order is exact. Concurrent attempts to
    pay several orders of one account may exceed the account's limit by one for each of these orders. The orders service
    limits how many orders of an account are open. Stripe itself refuses cards that the browser enters at Stripe; these
    refusals are not visible here.
    """

    def __init__(self, payments: PaymentRepository, settings: Settings) -> None:
        off = settings.rate_limit_payments == "off"
        self._payments = payments
        self._account = None if off else quota(settings.rate_limit_declines)
        self._order = None if off else quota(settings.rate_limit_declines_order)

    async def check(self, order: OrderData) -> None:
        """Raise `TooManyDeclinesError` if this order, or its buyer's account, has reached its limit."""
        limits = [limit for limit in (self._account, self._order) if limit is not None]
        if not limits:
            return
        since = utc_now() - max(limit.window for limit in limits)
        declines = await self._payments.list_unsuccessful(order.user_id, since=since, limit=MOST_LISTED)
        _check(self._account, "declines", declines)
        _check(self._order, "declines-order", [one for one in declines if one.order_id == order.id])


def _check(limit: Quota | None, name: str, declines: Sequence[Payment]) -> None:
    """Raise `TooManyDeclinesError` if the limit is reached. `declines` are sorted newest first."""
    if limit is None or len(declines) < limit.amount:
        return
    again: datetime = declines[limit.amount - 1].created_at + limit.window
    if again > utc_now():
        raise TooManyDeclinesError(name, retry_after_seconds=seconds_until(again))
