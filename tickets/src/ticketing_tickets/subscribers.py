"""The message door: every fact about an order makes its ticket follow."""

from ticketing_common.delivery import Subscription
from ticketing_common.events import OrderCancelled, OrderCompleted, OrderCreated
from ticketing_common.events.subjects import ORDERS

from .service import TicketService

__all__ = ["OrderSubscriber", "subscriptions"]


class OrderSubscriber:
    """Listens to orders, the judge of who has a ticket."""

    def __init__(self, service: TicketService) -> None:
        self._service = service

    async def on_order_created(self, event: OrderCreated) -> None:
        """The order's seats are held, or the order is told that the ticket is gone."""
        await self._service.follow_order(event.data)

    async def on_order_completed(self, event: OrderCompleted) -> None:
        """The order's seats are sold."""
        await self._service.follow_order(event.data)

    async def on_order_cancelled(self, event: OrderCancelled) -> None:
        """The order's seats are free, unless other orders have them."""
        await self._service.follow_order(event.data)


def subscriptions(service: TicketService) -> list[Subscription]:
    """What this service listens to, and which handler takes what."""
    orders = OrderSubscriber(service)
    return [
        Subscription(
            ORDERS,
            {
                OrderCreated: orders.on_order_created,
                OrderCompleted: orders.on_order_completed,
                OrderCancelled: orders.on_order_cancelled,
            },
        )
    ]
