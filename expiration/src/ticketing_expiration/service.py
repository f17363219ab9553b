"""What can be done with deadlines: remember one, and release all that are due."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from ticketing_common.events import OrderData, OrderStatus
from ticketing_common.telemetry import current_traceparent, get_logger

from .domain import Deadline, DeadlineStatus
from .publishers import expiration_completed
from .repository import DeadlineRepository
from .timers import Timers

__all__ = ["ExpirationService"]

log = get_logger(__name__)

BATCH: Final = 500
UPCOMING_LIMIT: Final = 10_000


class ExpirationService:
    """The use cases; MongoDB is the truth, timers only say when to look."""

    def __init__(self, deadlines: DeadlineRepository, timers: Timers) -> None:
        self._deadlines = deadlines
        self._timers = timers
        self._claiming = asyncio.Lock()
        self._asked_again = False

    async def follow_order(self, order: OrderData) -> None:
        """An order was created, completed or cancelled; its state decides, since events may come in any order."""
        open_ = order.status is OrderStatus.CREATED
        deadline = await self._deadlines.find_or_add(
            Deadline(
                id=order.id,
                expires_at=order.expires_at,
                status=DeadlineStatus.PENDING if open_ else DeadlineStatus.CANCELLED,
                traceparent=current_traceparent(),
            )
        )
        if not open_ and deadline.cancel():
            await self._deadlines.save(deadline)
        if deadline.status is DeadlineStatus.PENDING:
            await self._timers.arm(deadline.id, deadline.expires_at)

    async def on_timer(self, order_id: str) -> timedelta | None:
        """The timer of an order went off: release all that is due.

        Returns how long the order still has when the timer came early, by a clock that runs ahead of the database's.
        """
        remaining = await self._deadlines.remaining(order_id)
        if remaining is None:  # released with an earlier one, or switched off
            return None
        if remaining > timedelta(0):
            return remaining
        await self.release_due()
        return None

    async def release_due(self) -> int:
        """Complete every deadline whose moment has come; how many this call completed.

        One at a time: a call that comes while another is at work makes that one look once more, and returns 0.
        """
        self._asked_again = True
        if self._claiming.locked():
            return 0
        released = 0
        async with self._claiming:
            while self._asked_again:
                self._asked_again = False
                while completed := await self._complete(await self._deadlines.list_due(limit=BATCH)):
                    released += completed
        if released:
            log.info("released", deadlines=released)
        return released

    async def arm_upcoming(self, within: timedelta) -> int:
        """Set the timers that are missing among the deadlines of the near future; how many were."""
        upcoming = await self._deadlines.list_upcoming(within=within, limit=UPCOMING_LIMIT)
        missing = set(await self._timers.without_timer([deadline.id for deadline in upcoming]))
        armed = 0
        for deadline in upcoming:
            if deadline.id in missing and await self._timers.arm(deadline.id, deadline.expires_at):
                armed += 1
        if armed:
            log.info("timers were missing and are set again", timers=armed)
        return armed

    async def _complete(self, due: Sequence[Deadline]) -> int:
        """How many were: not those that changed since they were read, by another worker or since the order was paid."""
        for deadline in due:
            deadline.complete()
        completed = await self._deadlines.save_all(due, expiration_completed)
        # Their own timers have nothing left to do, and where many are due together each costs as much as a release.
        self._timers.take_away([deadline.id for deadline in completed])
        return len(completed)
