"""How many vain attempts to pay an order and an account may have: testing stolen cards takes many."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from ticketing_common.entity import utc_now
from ticketing_common.events import OrderData
from ticketing_common.web import Quota, quota

from .domain import Payment
from .errors import TooManyDeclinesError
from .repository import PaymentRepository
from .settings import Settings

__all__ = ["DeclineLimits"]

MOST_LISTED: Final = 1_000


class DeclineLimits:
    """Counts in the payments themselves, so all replicas count together and forget nothing.

    What counts is an attempt that came to nothing: the card was refused, or another card replaced one that waited for
    3-D Secure, which also tells a tester that the first is real.

    An order has one attempt at a time by a unique index, so the count of one order is exact. Attempts to pay several
    orders of one account at once may pass the account's limit by one for each of these orders; the orders service
    bounds how many of them are open. Cards that the browser enters at Stripe by itself are refused there, unseen here.
    """

    def __init__(self, payments: PaymentRepository, settings: Settings) -> None:
        off = settings.rate_limit_payments == "off"
        self._payments = payments
        self._account = None if off else quota(settings.rate_limit_declines)
        self._order = None if off else quota(settings.rate_limit_declines_order)

    async def check(self, order: OrderData) -> None:
        """Raise `TooManyDeclinesError` when no further card may be tried for this order, or by its buyer."""
        limits = [limit for limit in (self._account, self._order) if limit is not None]
        if not limits:
            return
        since = utc_now() - max(limit.window for limit in limits)
        declines = await self._payments.list_unsuccessful(order.user_id, since=since, limit=MOST_LISTED)
        _check(self._account, "declines", declines)
        _check(self._order, "declines-order", [one for one in declines if one.order_id == order.id])


def _check(limit: Quota | None, name: str, declines: Sequence[Payment]) -> None:
    """`declines` are the newest first."""
    if limit is None or len(declines) < limit.amount:
        return
    again: datetime = declines[limit.amount - 1].created_at + limit.window
    left = (again - utc_now()).total_seconds()
    if left > 0:
        raise TooManyDeclinesError(name, retry_after_seconds=max(1, math.ceil(left)))
