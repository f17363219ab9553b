"""The event catalogue: all events between the services, and their envelope."""

from .catalogue import CATALOGUE, parse_event
from .envelope import Event, EventData
from .expiration import ExpirationCompleted, ExpirationData
from .order import (
    OrderCancelled,
    OrderCompleted,
    OrderCreated,
    OrderData,
    OrderEvent,
    OrderReason,
    OrderStatus,
    OrderTicket,
)
from .payment import (
    PaymentAuthorized,
    PaymentCaptured,
    PaymentData,
    PaymentDisputed,
    PaymentEvent,
    PaymentFailed,
    PaymentRefunded,
    PaymentStatus,
    PaymentVoided,
)
from .ticket import (
    TicketCancelled,
    TicketCreated,
    TicketData,
    TicketDeleted,
    TicketEvent,
    TicketStatus,
    TicketUpdated,
)
from .user import (
    RevocationReason,
    SessionEndedData,
    UserData,
    UserDeleted,
    UserEvent,
    UserSessionEnded,
    UserSessionsRevoked,
)

__all__ = [
    "CATALOGUE",
    "Event",
    "EventData",
    "ExpirationCompleted",
    "ExpirationData",
    "OrderCancelled",
    "OrderCompleted",
    "OrderCreated",
    "OrderData",
    "OrderEvent",
    "OrderReason",
    "OrderStatus",
    "OrderTicket",
    "PaymentAuthorized",
    "PaymentCaptured",
    "PaymentData",
    "PaymentDisputed",
    "PaymentEvent",
    "PaymentFailed",
    "PaymentRefunded",
    "PaymentStatus",
    "PaymentVoided",
    "RevocationReason",
    "SessionEndedData",
    "TicketCancelled",
    "TicketCreated",
    "TicketData",
    "TicketDeleted",
    "TicketEvent",
    "TicketStatus",
    "TicketUpdated",
    "UserData",
    "UserDeleted",
    "UserEvent",
    "UserSessionEnded",
    "UserSessionsRevoked",
    "parse_event",
]
