"""Removes the people from orders that are over, in the background of every replica (decision 0026)."""

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Final

from ticketing_common.entity import utc_now
from ticketing_common.errors import UNREADABLE_DOCUMENT, ConcurrentUpdateError
from ticketing_common.resilience import repeated
from ticketing_common.telemetry import get_logger

from .domain import Order
from .publishers import order_republished
from .repository import OrderRepository, PaymentProjection
from .settings import Settings

SWEEP_SECONDS: Final = 600.0
PAUSE_SECONDS: Final = 1.0
"""Between two batches: each order is one more event for three services, whose requests come first."""

log = get_logger(__name__)


async def forget_people(
    orders: OrderRepository, *, unpaid_before: datetime, sold_before: datetime, pause_seconds: float = PAUSE_SECONDS
) -> int:
    """Remove the people from the orders that `walk_over` lists, and publish each. Returns how many changed.

    Each removal and its event are one compare-and-swap, at a new version: a copy that has applied it ignores every
    earlier event and every resync. So a crash loses nothing, and a second replica finds nothing to do. An order that
    cannot be changed does not stop the others.
    """
    forgotten = 0
    async for batch in orders.walk_over(unpaid_before=unpaid_before, sold_before=sold_before):
        outcomes = await asyncio.gather(*(_forget(orders, order) for order in batch))
        forgotten += sum(outcomes)
        await asyncio.sleep(pause_seconds)
    return forgotten


async def _forget(orders: OrderRepository, order: Order) -> bool:
    order.forget_person()
    try:
        await orders.save(order, order_republished)
    except ConcurrentUpdateError:  # another replica was faster, or the order has changed: then it is not old
        return False
    except UNREADABLE_DOCUMENT:
        log.exception("the buyer of an order cannot be removed", order_id=order.id)
        return False
    return True


def forget_regularly(
    orders: OrderRepository, payments: PaymentProjection, settings: Settings, *, every_seconds: float = SWEEP_SECONDS
) -> AbstractAsyncContextManager[None]:
    """While the block runs, remove people from orders after the times of the settings. Needs no lease."""
    unpaid, sold = timedelta(days=settings.unpaid_orders_days), timedelta(days=settings.records_days)

    async def forget() -> None:
        await payments.forget_buyers()
        now = utc_now()
        if count := await forget_people(orders, unpaid_before=now - unpaid, sold_before=now - sold):
            log.info("buyers removed from old orders", count=count)

    return repeated(forget, every_seconds, failure="buyers not removed from old orders, retrying later")
