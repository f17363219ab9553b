"""A scenario of one order and its payments, for the tests of the service."""

import asyncio
from datetime import timedelta

from ticketing_common.entity import utc_now
from ticketing_common.events import OrderReason, OrderStatus, PaymentStatus
from ticketing_payments.errors import OrderPaidError

__all__ = ["Scenario"]


class Scenario:
    """One order and its payments."""

    def __init__(self, service, stores, order) -> None:
        self.service, self.stores, self.order = service, stores, order

    def pay(self, method: str | None = "pm_card_visa", *, by=None):
        service = by or self.service
        return service.pay(self.order.id, user_id=self.order.user_id, payment_method_id=method)

    async def pay_at_once(self, *methods: str) -> set[str]:
        """Pay concurrently. Returns the payments' ids; a late call may raise `OrderPaidError` instead."""
        answers = await asyncio.gather(*(self.pay(method) for method in methods), return_exceptions=True)
        unexpected = [one for one in answers if isinstance(one, BaseException) and not isinstance(one, OrderPaidError)]
        assert not unexpected
        return {one.id for one in answers if not isinstance(one, BaseException)}

    async def change(self, **changes) -> None:
        """Change the order, and deliver its event to payments."""
        self.order = self.order.model_copy(update={"version": self.order.version + 1, **changes})
        await self.service.follow_order(self.order)

    async def complete(self, payment) -> None:
        await self.change(status=OrderStatus.COMPLETE, payment_id=payment.id)

    async def cancel(self, reason=OrderReason.EXPIRED) -> None:
        await self.change(status=OrderStatus.CANCELLED, reason=reason)

    async def payments(self):
        cursor = self.stores.payments.collection.find({"order_id": self.order.id}).sort("attempt", 1)
        return [self.stores.payments.to_entity(document) async for document in cursor]

    async def statuses(self) -> list[PaymentStatus]:
        return [payment.status for payment in await self.payments()]

    async def published(self) -> list[str]:
        """The events of all attempts, oldest first."""
        cursor = self.stores.payments.collection.find({"order_id": self.order.id}).sort("attempt", 1)
        return [entry["subject"].rpartition(".")[0] async for document in cursor for entry in document["outbox"]]

    async def run_out(self) -> None:
        """Let the deadline pass without a cancellation by orders."""
        await self.change(expires_at=utc_now() - timedelta(seconds=1))

    async def due(self) -> None:
        """Make every check of this order's payments due, and run the reconciler."""
        for payment in await self.payments():
            if payment.check_at is not None:
                await self.stores.payments.check_later(payment.id, utc_now() - timedelta(seconds=1))
        await self.service.reconcile()
