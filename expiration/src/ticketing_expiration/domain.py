"""The deadline of an order: waits, then either passes or is called off."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from ticketing_common.entity import Entity

from .errors import DeadlineTransitionError

__all__ = ["TRANSITIONS", "Deadline", "DeadlineStatus"]


class DeadlineStatus(StrEnum):
    """Where a deadline stands."""

    PENDING = "pending"
    COMPLETED = "completed"
    """It passed, and everybody was told."""
    CANCELLED = "off"
    """The order was paid or cancelled before."""


TRANSITIONS: Final[dict[DeadlineStatus, frozenset[DeadlineStatus]]] = {
    DeadlineStatus.PENDING: frozenset({DeadlineStatus.COMPLETED, DeadlineStatus.CANCELLED}),
    DeadlineStatus.COMPLETED: frozenset(),
    DeadlineStatus.CANCELLED: frozenset(),
}


@dataclass(kw_only=True)
class Deadline(Entity):
    """Until when one order may be paid; its id is the order's. Whether it has come, the database's clock says.

    `traceparent` is of the request that placed the order: many deadlines are released in one go, and each goes on with
    its own story.
    """

    expires_at: datetime
    traceparent: str | None = None
    status: DeadlineStatus = DeadlineStatus.PENDING

    def complete(self) -> bool:
        """The deadline has passed. False when that is already known; raises when it was called off."""
        return self._move_to(DeadlineStatus.COMPLETED)

    def cancel(self) -> bool:
        """The order needs no deadline any more. False when there is nothing left to switch off.

        An order that was cancelled because its deadline passed comes here too: what has passed stays passed.
        """
        return self.status is not DeadlineStatus.COMPLETED and self._move_to(DeadlineStatus.CANCELLED)

    def _move_to(self, status: DeadlineStatus) -> bool:
        if self.status is status:
            return False
        if status not in TRANSITIONS[self.status]:
            raise DeadlineTransitionError(self.id, self.status, status)
        self.status = status
        return True
