"""One order and what becomes of it, as the tests of the service tell it."""

import asyncio
from datetime import timedelta

from ticketing_common.entity import utc_now
from ticketing_common.events import OrderReason, OrderStatus, PaymentStatus
from ticketing_payments.errors import OrderPaidError

__all__ = ["Scenario"]


class Scenario:
    """One order and what becomes of it."""

    def __init__(self, service, stores, order) -> None:
        self.service, self.stores, self.order = service, stores, order

    def pay(self, method: str | None = "pm_card_visa", *, by=None):
        service = by or self.service
        return service.pay(self.order.id, user_id=self.order.user_id, payment_method_id=method)

    async def pay_at_once(self, *methods: str) -> set[str]:
        """Press in several tabs at once; the ids that were answered. Who comes last may hear "already paid"."""
        answers = await asyncio.gather(*(self.pay(method) for method in methods), return_exceptions=True)
        unexpected = [one for one in answers if isinstance(one, BaseException) and not isinstance(one, OrderPaidError)]
        assert not unexpected
        return {one.id for one in answers if not isinstance(one, BaseException)}

    async def change(self, **changes) -> None:
        """The order changes, and payments hears of it."""
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

    async def told(self) -> list[str]:
        """The events of all attempts, oldest first."""
        cursor = self.stores.payments.collection.find({"order_id": self.order.id}).sort("attempt", 1)
        return [entry["subject"].rpartition(".")[0] async for document in cursor for entry in document["outbox"]]

    async def run_out(self) -> None:
        """The deadline passes, and orders has not said so yet."""
        await self.change(expires_at=utc_now() - timedelta(seconds=1))

    async def due(self) -> None:
        """Time passes: the reconciler looks at every payment of this order."""
        for payment in await self.payments():
            if payment.check_at is not None:
                await self.stores.payments.check_later(payment.id, utc_now() - timedelta(seconds=1))
        await self.service.reconcile()
