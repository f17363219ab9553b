"""The statuses of a listing that lists and responses show."""

from datetime import datetime
from enum import StrEnum
from typing import Final

from ticketing_common.events import TicketStatus

LISTED: Final = (TicketStatus.AVAILABLE, TicketStatus.HELD, TicketStatus.SOLD, TicketStatus.CANCELLED)
"""The statuses that lists show; a deleted ticket is only in events."""


class ShownStatus(StrEnum):
    """The status in responses: the stored one, or `ended`, which is computed from the time and never stored."""

    AVAILABLE = "available"
    HELD = "held"
    SOLD = "sold"
    CANCELLED = "cancelled"
    ENDED = "ended"


def shown_status(status: TicketStatus, starts_at: datetime | None, now: datetime) -> ShownStatus:
    """The status in responses: `ended` once the event has begun while a seat is free. Times in UTC.

    A hold that was placed in time may still be paid, so the status is `held` until the hold ends. Raises ValueError
    for a deleted ticket, which no response shows.
    """
    if status is TicketStatus.AVAILABLE and starts_at is not None and starts_at <= now:
        return ShownStatus.ENDED
    return ShownStatus(status.value)
