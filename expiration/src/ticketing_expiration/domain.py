"""The deadline of an order: pending, then either completed or cancelled."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from ticketing_common.entity import Entity

from .errors import DeadlineTransitionError


class DeadlineStatus(StrEnum):
    """The status of a deadline."""

    PENDING = "pending"
    COMPLETED = "completed"
    """The deadline passed, and its event is published."""
    CANCELLED = "off"
    """The order was paid or cancelled before the deadline."""


TRANSITIONS: Final[dict[DeadlineStatus, frozenset[DeadlineStatus]]] = {
    DeadlineStatus.PENDING: frozenset({DeadlineStatus.COMPLETED, DeadlineStatus.CANCELLED}),
    DeadlineStatus.COMPLETED: frozenset(),
    DeadlineStatus.CANCELLED: frozenset(),
}


@dataclass(kw_only=True)
class Deadline(Entity):
    """The time until which one order may be paid. Its id is the order's; the database's clock decides when it is due.

    `traceparent` is that of the request that placed the order. One batch completes many deadlines, and each continues
    its own trace.
    """

    expires_at: datetime
    traceparent: str | None = None
    status: DeadlineStatus = DeadlineStatus.PENDING

    def complete(self) -> bool:
        """The deadline has passed. False if it was completed before. Raises `DeadlineTransitionError` if cancelled."""
        return self._move_to(DeadlineStatus.COMPLETED)

    def cancel(self) -> bool:
        """The order needs no deadline any more. False if the deadline is not pending.

        An order that is cancelled because its deadline passed comes here, too; the deadline stays completed.
        """
        return self.status is not DeadlineStatus.COMPLETED and self._move_to(DeadlineStatus.CANCELLED)

    def _move_to(self, status: DeadlineStatus) -> bool:
        if self.status is status:
            return False
        if status not in TRANSITIONS[self.status]:
            raise DeadlineTransitionError(self.id, self.status, status)
        self.status = status
        return True
