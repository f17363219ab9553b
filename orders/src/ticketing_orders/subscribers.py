"""The message door of orders."""

from ticketing_common.delivery import EventSubscription
from ticketing_common.events import (
    ExpirationCompleted,
    PaymentAuthorized,
    PaymentFailed,
    TicketCreated,
    TicketDeleted,
    TicketUpdated,
)
from ticketing_common.events.subjects import EXPIRATIONS, PAYMENTS, TICKETS

from .service import OrderService

__all__ = ["OrderSubscriber", "subscriptions"]


class OrderSubscriber:
    """Hands each event to the use case that it concerns."""

    def __init__(self, service: OrderService) -> None:
        self._service = service

    async def on_ticket_created(self, event: TicketCreated) -> None:
        """A ticket can be ordered."""
        await self._service.follow_ticket(event.data)

    async def on_ticket_updated(self, event: TicketUpdated) -> None:
        """New orders see the new price and title."""
        await self._service.follow_ticket(event.data)

    async def on_ticket_deleted(self, event: TicketDeleted) -> None:
        """The unpaid order of the ticket ends."""
        await self._service.follow_ticket(event.data)

    async def on_payment_authorized(self, event: PaymentAuthorized) -> None:
        """The order is paid, unless it was cancelled before."""
        await self._service.follow_payment(event.data)

    async def on_payment_failed(self, event: PaymentFailed) -> None:
        """The order ends, if this payment had completed it."""
        await self._service.follow_payment(event.data)

    async def on_expiration_completed(self, event: ExpirationCompleted) -> None:
        """The order ends, if it is unpaid and due."""
        await self._service.expire(event.data.order_id, deadline=event.data.expires_at)


def subscriptions(service: OrderService) -> list[EventSubscription]:
    """Who handles what. `payment.captured` and `payment.voided` change no order."""
    subscriber = OrderSubscriber(service)
    return [
        EventSubscription(
            TICKETS,
            {
                TicketCreated: subscriber.on_ticket_created,
                TicketUpdated: subscriber.on_ticket_updated,
                TicketDeleted: subscriber.on_ticket_deleted,
            },
        ),
        EventSubscription(
            PAYMENTS,
            {
                PaymentAuthorized: subscriber.on_payment_authorized,
                PaymentFailed: subscriber.on_payment_failed,
            },
        ),
        EventSubscription(EXPIRATIONS, {ExpirationCompleted: subscriber.on_expiration_completed}),
    ]
