"""Events of the expiration service: a deadline has passed."""

from .envelope import Event, EventData, EventTime


class ExpirationData(EventData):
    """The deadline of one order; the order's id is the aggregate's id."""

    order_id: str
    expires_at: EventTime


class ExpirationCompleted(Event):
    """The deadline of an order has passed; orders decides what that means."""

    NAME = "expiration.completed"

    data: ExpirationData
