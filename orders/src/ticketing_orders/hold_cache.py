"""Tickets that were held a moment ago: so that who comes too late hears it at once. It only ever refuses."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from weakref import WeakValueDictionary

from ticketing_common.entity import utc_now
from ticketing_common.events import OrderData

from .domain import ACTIVE_STATUSES, Order

__all__ = ["HoldCache"]

FRESH_SECONDS: Final = 1.0
"""How long what was seen is believed. Endings are heard of in some 20 ms; this is for when they are not."""
TURN_SECONDS: Final = 3.0
"""Longer than a crowd of thousands takes to be read: who stops waiting earlier writes to the database in vain."""
REMEMBERED: Final = 10_000
"""Tickets; some 3 MB."""


@dataclass(frozen=True, slots=True)
class _Seen:
    rank: tuple[datetime, int]
    """Grows with every change of a ticket's orders: they follow one another in time, as only one at once is active."""
    holder: str | None
    seller: str | None
    """None while nobody at this replica has read the ticket; order events do not name the seller."""
    at: float


class HoldCache:
    """Who held which ticket of one seat, as this replica last saw it in its own writes, in the database or in an event.

    Of a ticket with more seats it remembers only that it has them: nobody is refused from here, and nobody waits.

    Fifty who want a ticket that is gone would each write to the database to be told so. Whoever is refused from here is
    told nothing that the unique index would not have said at some moment of the last second. Nobody gets a ticket from
    here, and a holder is always sent on: the request may be the repetition of the one that got him the ticket. So is
    the seller, who is told that the ticket is his own.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._many: OrderedDict[str, None] = OrderedDict()

    def has_many_seats(self, ticket_id: str) -> None:
        """The ticket has several seats, as its listing says."""
        self._seen.pop(ticket_id, None)
        self._many[ticket_id] = None
        self._many.move_to_end(ticket_id)
        if len(self._many) > REMEMBERED:
            self._many.popitem(last=False)

    def see(self, order: Order | OrderData, *, seller_id: str | None = None, as_of: datetime | None = None) -> None:
        """An order as it is now, or as it was then (UTC): it has its ticket, or has let go of it.

        `seller_id` is the ticket's, where it is known; it never changes, so once is enough.
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
        """Whether another buyer had this ticket, of another seller, within the last second; False says nothing."""
        seen = self._seen.get(ticket_id)
        if seen is None or time.monotonic() - seen.at >= FRESH_SECONDS:
            return False
        return seen.holder not in (None, user_id) and seen.seller not in (None, user_id)

    @asynccontextmanager
    async def lock(self, ticket_id: str) -> AsyncIterator[None]:
        """Inside this block, one at a time for each ticket, in the order of coming; nobody waits for over 3 s.

        It only saves work: whoever had enough of waiting goes on beside the others, and the unique index decides.
        """
        lock = self._locks.setdefault(ticket_id, asyncio.Lock())
        taken = False
        try:
            if ticket_id in self._many:
                pass
            elif lock.locked():
                with suppress(TimeoutError):
                    async with asyncio.timeout(TURN_SECONDS):
                        taken = await lock.acquire()
                if taken and ticket_id in self._many:  # became known meanwhile: the next one goes on at once, too
                    lock.release()
                    taken = False
            else:  # the usual case, which need not pay for a timer
                taken = await lock.acquire()
            yield
        finally:
            if taken:
                lock.release()
