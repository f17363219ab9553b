"""The message door: every fact about an order sets its deadline or switches it off."""

from ticketing_common.delivery import EventSubscription
from ticketing_common.events import OrderCancelled, OrderCompleted, OrderCreated
from ticketing_common.events.subjects import ORDERS

from .service import ExpirationService

__all__ = ["OrderSubscriber", "subscriptions"]


class OrderSubscriber:
    """Listens to orders, whose deadlines these are."""

    def __init__(self, service: ExpirationService) -> None:
        self._service = service

    async def on_order_created(self, event: OrderCreated) -> None:
        """The deadline is stored and its timer set."""
        await self._service.follow_order(event.data)

    async def on_order_completed(self, event: OrderCompleted) -> None:
        """Paid in time: no deadline any more."""
        await self._service.follow_order(event.data)

    async def on_order_cancelled(self, event: OrderCancelled) -> None:
        """Over before its time: no deadline any more."""
        await self._service.follow_order(event.data)


def subscriptions(service: ExpirationService) -> list[EventSubscription]:
    """What this service listens to, and which handler takes what."""
    orders = OrderSubscriber(service)
    return [
        EventSubscription(
            ORDERS,
            {
                OrderCreated: orders.on_order_created,
                OrderCompleted: orders.on_order_completed,
                OrderCancelled: orders.on_order_cancelled,
            },
        )
    ]
