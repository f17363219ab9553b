"""Removes the people from payments whose order names none any more, in the background (decision 0026)."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final

from ticketing_common.entity import utc_now
from ticketing_common.errors import UNREADABLE_DOCUMENT, ConcurrentUpdateError
from ticketing_common.events import OrderData
from ticketing_common.resilience import repeated
from ticketing_common.storage import WITHOUT_EVENTS, Document
from ticketing_common.telemetry import get_logger

from .domain import Payment, Step, next_step
from .publishers import payment_republished
from .repository import OrderProjection, PaymentRepository

SWEEP_SECONDS: Final = 600.0
AT_ONCE: Final = 200

log = get_logger(__name__)


class PaymentRetention:
    """Follows the copies of orders: orders decides when a record no longer names its buyer, and publishes it so.

    A copy without a buyer is marked once each of its payments is settled and without a buyer. Until then every sweep
    looks at it again, so a payment whose money is not settled keeps its buyer. The mark is in the copy only, and a
    newer event leaves it there. Each removal and its event are one compare-and-swap, so that two replicas and a crash
    at any place are harmless.
    """

    def __init__(self, payments: PaymentRepository, orders: OrderProjection) -> None:
        self._payments = payments
        self._orders = orders

    async def forget_people(self) -> int:
        """Remove the buyer from the settled payments of orders without one. Returns how many payments changed."""
        forgotten = 0
        cursor = self._orders.collection.find({"user_id": "", "payments_forgotten": None})
        try:
            while documents := await cursor.to_list(AT_ONCE):
                forgotten += await self._forget(documents)
        finally:
            await cursor.close()
        return forgotten

    def forgetting(self, *, every_seconds: float = SWEEP_SECONDS) -> AbstractAsyncContextManager[None]:
        """While the block runs, do so regularly. Needs no lease."""

        async def forget() -> None:
            if count := await self.forget_people():
                log.info("buyers removed from old payments", count=count)

        return repeated(forget, every_seconds, failure="buyers not removed from old payments, retrying later")

    async def _forget(self, documents: Sequence[Document]) -> int:
        """For some copies of orders: remove the buyer from their payments, and mark the copies that are done."""
        waiting: set[str] = set()
        orders: dict[str, OrderData] = {}
        for document in documents:
            try:
                orders[document["_id"]] = self._orders.to_data(document)
            except ValueError:
                log.exception("copy of an order cannot be read, skipped", order_id=document["_id"])
        named: Document = {"order_id": {"$in": list(orders)}, "user_id": {"$ne": ""}}
        found = await self._payments.collection.find(named, WITHOUT_EVENTS).to_list(None)
        payments = {payment.id: payment for payment in self._payments.to_entities(found)}
        waiting.update(document["order_id"] for document in found if document["_id"] not in payments)
        outcomes = await asyncio.gather(
            *(self._forget_one(payment, orders[payment.order_id]) for payment in payments.values())
        )
        waiting.update(payment.order_id for payment, done in zip(payments.values(), outcomes, strict=True) if not done)
        done = [order_id for order_id in orders if order_id not in waiting]
        await self._orders.collection.update_many(
            {"_id": {"$in": done}, "user_id": ""}, {"$set": {"payments_forgotten": True}}
        )
        return sum(outcomes)

    async def _forget_one(self, payment: Payment, order: OrderData) -> bool:
        if not payment.settled or next_step(payment, order, None, utc_now()) is not Step.NOTHING:
            return False
        payment.forget_person()
        try:
            await self._payments.save(payment, payment_republished)
        except ConcurrentUpdateError:  # a webhook, or another replica: the next sweep looks again
            return False
        except UNREADABLE_DOCUMENT:
            log.exception("the buyer of a payment cannot be removed", payment_id=payment.id)
            return False
        return True
