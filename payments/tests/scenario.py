"""A scenario of one order and its payments, for the tests of the service."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, TypeAlias

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import OrderData, OrderReason, OrderStatus, PaymentStatus
from ticketing_payments.domain import Payment
from ticketing_payments.errors import OrderPaidError
from ticketing_payments.repository import OrderProjection, PaymentRepository, StripeEventInbox
from ticketing_payments.service import PaymentService
from ticketing_payments.settings import Settings

MakeSettings: TypeAlias = Callable[..., Settings]
Sign: TypeAlias = Callable[..., tuple[bytes, str]]


def make_order(**changes: Any) -> OrderData:
    """An order as the orders service publishes it."""
    window = changes.pop("window_seconds", 900)
    price_cents = changes.pop("price_cents", 2_550)
    fields: dict[str, Any] = {
        "id": new_id(),
        "version": 1,
        "status": OrderStatus.CREATED,
        "reason": None,
        "user_id": new_id(),
        "expires_at": utc_now() + timedelta(seconds=window),
        "created_at": utc_now(),
        "payment_id": None,
        "ticket": {"id": new_id(), "title": "Opening night", "price_cents": price_cents, "currency": "usd"},
    }
    return OrderData.model_validate(fields | changes)


class MakeScenario(Protocol):
    """Makes the scenario of one order."""

    def __call__(self, order: OrderData, by: PaymentService = ...) -> "Scenario": ...


@dataclass
class Stores:
    """The service's collections."""

    payments: PaymentRepository
    orders: OrderProjection
    inbox: StripeEventInbox


class Scenario:
    """One order and its payments."""

    def __init__(self, service: PaymentService, stores: Stores, order: OrderData) -> None:
        self.service, self.stores, self.order = service, stores, order

    async def pay(self, method: str | None = "pm_card_visa", *, by: PaymentService | None = None) -> Payment:
        service = by or self.service
        return await service.pay(self.order.id, user_id=self.order.user_id, payment_method_id=method)

    async def pay_at_once(self, *methods: str) -> set[str]:
        """Pay concurrently. Returns the payments' ids; a late call may raise `OrderPaidError` instead."""
        answers = await asyncio.gather(*(self.pay(method) for method in methods), return_exceptions=True)
        unexpected = [one for one in answers if isinstance(one, BaseException) and not isinstance(one, OrderPaidError)]
        assert not unexpected
        return {one.id for one in answers if not isinstance(one, BaseException)}

    async def change(self, **changes: Any) -> None:
        """Change the order, and deliver its event to payments."""
        self.order = self.order.model_copy(update={"version": self.order.version + 1, **changes})
        await self.service.follow_order(self.order)

    async def complete(self, payment: Payment) -> None:
        await self.change(status=OrderStatus.COMPLETE, payment_id=payment.id)

    async def cancel(self, reason: OrderReason = OrderReason.EXPIRED) -> None:
        await self.change(status=OrderStatus.CANCELLED, reason=reason)

    async def payments(self) -> list[Payment]:
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
