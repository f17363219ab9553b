"""Remembers which tickets are held, to refuse late requests without a write."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from weakref import WeakValueDictionary

from ticketing_common.entity import utc_now
from ticketing_common.events import OrderData

from .domain import ACTIVE_STATUSES, Order

FRESH_SECONDS: Final = 1.0
"""How long an entry is used while events do not arrive."""
FOLLOWED_SECONDS: Final = 300.0
"""How long an entry is used while events arrive: the event of an ended hold removes it, after some 20 ms. The limit is
a precaution: one request in five minutes finds out at the database."""
LOCK_WAIT_SECONDS: Final = 3.0
"""Longer than it takes to read thousands of concurrent requests: a request that waits less makes a futile write."""
REMEMBERED: Final = 10_000
"""Tickets; about 3 MB."""


@dataclass(frozen=True, slots=True)
class _Seen:
    rank: tuple[datetime, int]
    """Grows with every change of a ticket's orders, which are ordered in time: only one is active at a time."""
    holder: str | None
    seller: str | None
    """None until this replica has read the ticket; order events do not name the seller."""
    at: float


class HoldCache:
    """The holder of each listing with one seat, as this replica last saw it in a write, the database or an event.

    Of a listing with several seats it stores only that fact: the cache refuses none of its requests and delays none.

    Without the cache, each of fifty buyers who want a ticket that is gone makes a write that the unique index refuses.
    A refusal from the cache equals the response of the index at some moment of the last second, or no event has
    reported a change since then. The cache never grants a ticket. It never refuses the holder, whose request may repeat
    the one that got the ticket, and never the seller, who gets another error.

    `is_followed` says whether events of orders arrive, in time, of all replicas.
    """

    def __init__(self, is_followed: Callable[[], bool] = lambda: False) -> None:
        self._is_followed = is_followed
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._many: OrderedDict[str, None] = OrderedDict()

    def has_many_seats(self, ticket_id: str) -> None:
        """Record that the listing has several seats."""
        self._seen.pop(ticket_id, None)
        self._many[ticket_id] = None
        self._many.move_to_end(ticket_id)
        if len(self._many) > REMEMBERED:
            self._many.popitem(last=False)

    def see(self, order: Order | OrderData, *, seller_id: str | None = None, as_of: datetime | None = None) -> None:
        """Record whether an order holds its ticket, now or at the time `as_of` (UTC).

        `seller_id` is the ticket's seller, where it is known. It never changes, so one call with it is enough.
        """
        if order.ticket.quantity > 1 or order.ticket.id in self._many:
            return self.has_many_seats(order.ticket.id)
        age = max(0.0, (utc_now() - as_of).total_seconds()) if as_of else 0.0
        rank, at = (order.created_at, order.version), time.monotonic() - age
        known = self._seen.get(order.ticket.id)
        if known is not None and (rank < known.rank or (rank == known.rank and at < known.at)):
            return None  # our own write, coming back as an event
        holder = order.user_id if order.status in ACTIVE_STATUSES else None
        self._seen[order.ticket.id] = _Seen(rank, holder, seller_id or (known.seller if known else None), at)
        self._seen.move_to_end(order.ticket.id)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return None

    def is_held_by_another(self, ticket_id: str, *, user_id: str) -> bool:
        """Whether another buyer holds this ticket, as far as is known; False for the seller, and when unknown."""
        seen = self._seen.get(ticket_id)
        if seen is None or time.monotonic() - seen.at >= (FOLLOWED_SECONDS if self._is_followed() else FRESH_SECONDS):
            return False
        return seen.holder not in (None, user_id) and seen.seller not in (None, user_id)

    def clear(self) -> None:
        """Forget all holders: events were lost, and an entry could be outdated without notice."""
        self._seen.clear()

    @asynccontextmanager
    async def lock(self, ticket_id: str) -> AsyncIterator[None]:
        """Run this block for one request at a time per ticket, in order of arrival; a request waits 3 s at most.

        The lock only saves work: after 3 s a request continues without it, and the unique index decides.
        """
        lock = self._locks.setdefault(ticket_id, asyncio.Lock())
        taken = False
        try:
            if ticket_id in self._many:
                pass
            elif lock.locked():
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOCK_WAIT_SECONDS):
                        taken = await lock.acquire()
                if taken and ticket_id in self._many:  # recorded while waiting: the next request need not wait either
                    lock.release()
                    taken = False
            else:  # the usual case needs no timer
                taken = await lock.acquire()
            yield
        finally:
            if taken:
                lock.release()
