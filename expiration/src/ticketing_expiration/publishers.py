"""Pure function from a deadline to the event that describes it."""

from ticketing_common.events import ExpirationCompleted, ExpirationData

from .domain import Deadline


def expiration_completed(deadline: Deadline) -> ExpirationCompleted:
    """The deadline has passed; the orders service decides what follows."""
    data = ExpirationData(
        id=deadline.id, version=deadline.version, order_id=deadline.id, expires_at=deadline.expires_at
    )
    return ExpirationCompleted.of(data, traceparent=deadline.traceparent)
