"""The use cases of deadlines: store one, and complete all that are due."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

from ticketing_common.events import OrderData, OrderEvent, OrderStatus
from ticketing_common.telemetry import current_traceparent, get_logger, trace_scope
from ticketing_common.timers import Timers

from .domain import Deadline, DeadlineStatus
from .publishers import expiration_completed
from .repository import DeadlineRepository

log = get_logger(__name__)

BATCH: Final = 500
UPCOMING_LIMIT: Final = 10_000
COMPLETIONS_WAIT_SECONDS: Final = 5.0
"""How long a timer waits for completions under way; less than arq's limit for a job."""


class ExpirationService:
    """The use cases. MongoDB is authoritative; timers only trigger a query."""

    def __init__(self, deadlines: DeadlineRepository, timers: Timers) -> None:
        self._deadlines = deadlines
        self._timers = timers
        self._idle = asyncio.Event()
        self._idle.set()
        self._asked_again = False

    async def follow_order(self, order: OrderData) -> None:
        """Apply a created, completed or cancelled order. Its state decides, since events may arrive in any order."""
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

    async def follow_orders(self, events: Sequence[OrderEvent]) -> None:
        """As `follow_order`, for the events of different orders. Ended orders whose deadline is over need one read.

        After an error some of the orders may be applied.
        """
        ended = [event.data.id for event in events if event.data.status is not OrderStatus.CREATED]
        known = await self._deadlines.find_all(ended) if ended else {}
        over = {deadline.id for deadline in known.values() if deadline.status is not DeadlineStatus.PENDING}

        async def follow(event: OrderEvent) -> None:
            with trace_scope(event.traceparent):
                await self.follow_order(event.data)

        open_ = (follow(event) for event in events if event.data.id not in over)
        for outcome in await asyncio.gather(*open_, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def on_timer(self, order_id: str) -> timedelta | None:
        """The timer of an order fired: complete all deadlines that are due.

        Returns the remaining time if the timer fired early, because a clock runs ahead of the database's; else None.

        Completions under way come first. They remove the timers of what they complete, and while this one waits, arq
        starts none of the others: when thousands are due at one instant, few of their timers fire.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(COMPLETIONS_WAIT_SECONDS):
                await self._idle.wait()
        remaining = await self._deadlines.remaining(order_id)
        if remaining is None:  # completed in an earlier batch, or cancelled
            return None
        if remaining > timedelta(0):
            return remaining
        await self.release_due()
        return None

    async def release_due(self) -> int:
        """Complete every deadline that is due. Returns how many this call completed.

        One call runs at a time. A concurrent call makes the running one query once more, and returns 0.
        """
        self._asked_again = True
        if not self._idle.is_set():
            return 0
        released = 0
        self._idle.clear()
        try:
            while self._asked_again:
                self._asked_again = False
                while completed := await self._complete(await self._deadlines.list_due(limit=BATCH)):
                    released += completed
        finally:
            self._idle.set()
        if released:
            log.info("deadlines completed", deadlines=released)
        return released

    async def arm_upcoming(self, within: timedelta) -> int:
        """Set missing timers of deadlines that become due `within` that time. Returns how many it set."""
        upcoming = await self._deadlines.list_upcoming(within=within, limit=UPCOMING_LIMIT)
        missing = set(await self._timers.without_timer([deadline.id for deadline in upcoming]))
        armed = 0
        for deadline in upcoming:
            if deadline.id in missing and await self._timers.arm(deadline.id, deadline.expires_at):
                armed += 1
        if armed:
            log.info("missing timers set again", timers=armed)
        return armed

    async def _complete(self, due: Sequence[Deadline]) -> int:
        """Complete these and return how many. Skips deadlines that another worker or event changed since the read."""
        for deadline in due:
            deadline.complete()
        completed = await self._deadlines.save_all(due, expiration_completed)
        # Their timers have nothing left to do, and each one that fires costs as much as a completion.
        self._timers.remove([deadline.id for deadline in completed])
        return len(completed)
