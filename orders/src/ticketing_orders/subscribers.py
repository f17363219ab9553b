"""The message adapter of orders."""

from ticketing_common.delivery import BatchHandler, EventSubscription
from ticketing_common.events import (
    ExpirationCompleted,
    PaymentAuthorized,
    PaymentDisputed,
    PaymentFailed,
    PaymentRefunded,
    TicketCancelled,
    TicketCreated,
    TicketDeleted,
    TicketUpdated,
)
from ticketing_common.topology import EXPIRATIONS, PAYMENTS, TICKETS

from .service import OrderService


def subscriptions(service: OrderService) -> list[EventSubscription]:
    """The events that this service consumes, each with its use case.

    `payment.captured` and `payment.voided` change no order. A resync publishes every disputed payment as
    `payment.disputed`, whatever its status.
    """

    async def on_expiration_completed(event: ExpirationCompleted) -> None:
        await service.expire(event.data.order_id, deadline=event.data.expires_at)

    return [
        EventSubscription.to_state(
            *(TICKETS, service.follow_ticket),
            *(TicketCreated, TicketUpdated, TicketCancelled, TicketDeleted),
            # The other two end orders, which may take long.
            together=BatchHandler.of(service.follow_tickets_on_sale, TicketCreated, TicketUpdated),
        ),
        EventSubscription.to_state(
            *(PAYMENTS, service.follow_payment),
            *(PaymentAuthorized, PaymentFailed, PaymentRefunded, PaymentDisputed),
        ),
        EventSubscription(
            EXPIRATIONS,
            {ExpirationCompleted: on_expiration_completed},
            BatchHandler.of(service.expire_all, ExpirationCompleted),
        ),
    ]
