"""The message door of payments."""

from ticketing_common.delivery import EventSubscription
from ticketing_common.events import OrderCancelled, OrderCompleted, OrderCreated
from ticketing_common.events.subjects import ORDERS

from .service import PaymentService

__all__ = ["OrderSubscriber", "subscriptions"]


class OrderSubscriber:
    """Hands each event to the use case that it concerns."""

    def __init__(self, service: PaymentService) -> None:
        self._service = service

    async def on_order_created(self, event: OrderCreated) -> None:
        """The order can be paid."""
        await self._service.follow_order(event.data)

    async def on_order_completed(self, event: OrderCompleted) -> None:
        """The money is taken."""
        await self._service.follow_order(event.data)

    async def on_order_cancelled(self, event: OrderCancelled) -> None:
        """The money is let go, or given back."""
        await self._service.follow_order(event.data)


def subscriptions(service: PaymentService) -> list[EventSubscription]:
    """Who handles what."""
    subscriber = OrderSubscriber(service)
    return [
        EventSubscription(
            ORDERS,
            {
                OrderCreated: subscriber.on_order_created,
                OrderCompleted: subscriber.on_order_completed,
                OrderCancelled: subscriber.on_order_cancelled,
            },
        )
    ]
