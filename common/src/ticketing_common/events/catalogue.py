"""All event classes by name, and the parser for received events."""

from typing import Final

from pydantic import ValidationError

from ticketing_common.errors import PermanentError

from .envelope import Event
from .expiration import ExpirationCompleted
from .order import OrderCancelled, OrderCompleted, OrderCreated
from .payment import PaymentAuthorized, PaymentCaptured, PaymentDisputed, PaymentFailed, PaymentRefunded, PaymentVoided
from .ticket import TicketCancelled, TicketCreated, TicketDeleted, TicketUpdated
from .user import UserDeleted, UserSessionEnded, UserSessionsRevoked

CATALOGUE: Final[dict[str, type[Event]]] = {
    event.NAME: event
    for event in (
        TicketCreated,
        TicketUpdated,
        TicketCancelled,
        TicketDeleted,
        OrderCreated,
        OrderCompleted,
        OrderCancelled,
        PaymentAuthorized,
        PaymentCaptured,
        PaymentVoided,
        PaymentFailed,
        PaymentRefunded,
        PaymentDisputed,
        ExpirationCompleted,
        UserSessionsRevoked,
        UserSessionEnded,
        UserDeleted,
    )
}


def parse_event(subject: str, body: bytes) -> Event:
    """Parse the event received on a NATS subject.

    Raises `PermanentError` if the subject is not in the catalogue, the body is not that event, or its type has another
    major version: a retry cannot fix such a message.
    """
    name = subject.rpartition(".")[0]
    event_class = CATALOGUE.get(name)
    if event_class is None:
        raise PermanentError(f"no event is called {name!r}")
    try:
        event = event_class.model_validate_json(body)
    except ValidationError as error:
        raise PermanentError(f"not a valid {name}: {error}") from error
    if event.type != event_class.event_type():
        raise PermanentError(f"{event.type!r} came on the subject of {event_class.event_type()!r}")
    return event
