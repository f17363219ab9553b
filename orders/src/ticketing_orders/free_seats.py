"""Chooses the seats of an order in a listing with several: a guess from memory that the unique index confirms."""

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from math import inf
from typing import Final

from ticketing_common.errors import ConcurrentUpdateError
from ticketing_common.events import OrderData, TicketData

from .domain import ACTIVE_STATUSES, Order
from .errors import SeatTakenError, TicketReservedError

ATTEMPTS: Final = 64
"""Lost races of one request. Each was won by an order that was inserted between its reading and its insert."""
FRESH_SECONDS: Final = 1.0
"""How long a reading from the database is used to guess again after a lost race, or to refuse without events."""
FOLLOWED_SECONDS: Final = 300.0
"""How long a reading is used to refuse while events arrive: the event of a seat that becomes free ends it."""
SETTLE_SECONDS: Final = 3.0
"""How long a request waits for the outcome of others that have chosen the last seats."""
GUESSES: Final = 16
"""Random seats that are tried before the next free one is taken: enough while one in ten is free."""
REMEMBERED_LISTINGS: Final = 10_000
REMEMBERED_SEATS: Final = 10_000_000
"""Of all remembered listings; one byte each."""

ReadSeats = Callable[[str], Awaitable[Sequence[int]]]
Store = Callable[[tuple[int, ...]], Awaitable[Order]]


class _Listing:
    """What this replica knows about the seats of one listing."""

    def __init__(self) -> None:
        self.version = 0
        self.quantity = 0
        self.limit: int | None = None
        """The highest seat that may be taken; None until a reading has ended."""
        self.taken = bytearray(1)
        """By number; 1 when an order is believed to have the seat."""
        self.chosen: set[int] = set()
        """Seats that requests of this replica are about to insert."""
        self.shown: Sequence[int] | None = None
        self.shown_free = 0
        self.shown_at = -inf
        self.freed = 0
        """Counts the seats that became free, so that a reading that began earlier is recognised."""
        self.readings = 0
        """How many readings are in progress."""
        self.begun = 0
        """Counts the readings that began; the count is the number of the last one."""
        self.meanwhile: dict[int, int] = {}
        """Seats that were taken during a reading, with the number of the last reading that had begun."""
        self._changed: asyncio.Event | None = None

    def is_offered(self, ticket: TicketData) -> None:
        """Store the quantity of a newer version of the listing.

        When the quantity was lowered, seats above it may be taken, and as many below must stay free. A reading finds
        which seats these are.
        """
        if ticket.version <= self.version:
            return
        self.version = ticket.version
        if ticket.quantity != self.quantity or self.limit is None:
            self.quantity = ticket.quantity
            self.limit = ticket.quantity if ticket.quantity >= ticket.highest_seat else None
            self.shown, self.shown_at = None, -inf
            self._reach(max(ticket.quantity, ticket.highest_seat))

    def take(self, count: int) -> tuple[int, ...] | None:
        """Choose `count` free seats in order from a random one on, so that they are often adjacent; None if too few."""
        if self.limit is None or count > self.limit:
            return None
        begin = random.randint(1, self.limit)  # noqa: S311 (no secret)
        for _ in range(GUESSES):
            if not self.taken[begin]:
                break
            begin = random.randint(1, self.limit)  # noqa: S311
        seats: list[int] = []
        for first, end in ((begin, self.limit + 1), (1, begin)):
            at = self.taken.find(0, first, end)
            while at >= 0 and len(seats) < count:
                seats.append(at)
                at = self.taken.find(0, at + 1, end)
        if len(seats) < count:
            return None
        for seat in seats:
            self.taken[seat] = 1
        self.chosen.update(seats)
        return tuple(sorted(seats))

    def settle(self, seats: Sequence[int], *, free: bool, lost: int | None = None) -> None:
        """Record the outcome for chosen seats: they are free again, except `lost`, or an order has them."""
        self.chosen.difference_update(seats)
        for seat in seats:
            self.taken[seat] = not free or seat == lost
        self._note(seats if not free else () if lost is None else (lost,))
        self._wake()

    def mark(self, seats: Sequence[int], *, taken: bool) -> None:
        """Record that an order has these seats, or has released them."""
        self._reach(max(seats))
        for seat in seats:
            self.taken[seat] = taken
        if taken:
            self._note(seats)
        else:
            for seat in seats:
                self.meanwhile.pop(seat, None)
            self.freed += 1
            self.shown_at = -inf
            self._wake()

    def begin_reading(self) -> int:
        """Record that a reading begins; returns its number."""
        if self.readings == 0:
            self.meanwhile.clear()
        self.readings += 1
        self.begun += 1
        return self.begun

    def show(self, taken: Sequence[int], *, reading: int, freed: int) -> None:
        """Store the result of a reading: the seats of all active orders. `freed` is the count before the reading."""
        if taken is not self.shown:  # many requests share one reading
            self.shown = taken
            self._reach(max(taken, default=0))
            self.taken = bytearray(len(self.taken))
            # Only seats of orders that the reading may have missed: an older one may have ended at another replica.
            missed = (seat for seat, last in self.meanwhile.items() if last >= reading)
            for seat in (*taken, *self.chosen, *missed):
                self.taken[seat] = 1
            self.limit = self._limit(taken)
            self.shown_free = max(0, self.quantity - len(taken))
        if self.freed == freed:
            self.shown_at = time.monotonic()

    def _limit(self, taken: Sequence[int]) -> int:
        """The highest number such that it plus the count of taken seats above it is at most the quantity.

        No order takes a seat above it, so the taken seats above only become fewer: an outdated limit is too low, never
        too high.
        """
        limit = self.quantity
        above = sum(seat > limit for seat in taken)
        if above:
            held = set(taken)
            while limit and limit + above > self.quantity:
                above += limit in held
                limit -= 1
        return limit

    @property
    def available(self) -> int:
        """The number of free seats in the last reading, without those that this replica knows to be taken since."""
        return min(self.shown_free, self.taken.count(0, 1, (self.limit or 0) + 1))

    def shown_within(self, seconds: float) -> bool:
        """Whether the database was read within the last `seconds` and no seat became free since then."""
        return time.monotonic() - self.shown_at < seconds

    async def changed(self, seconds: float) -> None:
        """Wait until a seat becomes free or an outcome is known, for `seconds` at most."""
        if self._changed is None:
            self._changed = asyncio.Event()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)

    def _note(self, seats: Sequence[int]) -> None:
        if self.readings:
            self.meanwhile.update(dict.fromkeys(seats, self.begun))

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    def _reach(self, seat: int) -> None:
        if seat >= len(self.taken):
            self.taken.extend(bytes(seat + 1 - len(self.taken)))


class FreeSeats:
    """Finds seats for orders, over all replicas; only the database decides who has a seat.

    The memory follows this replica's own writes and the events of the other replicas. It may be wrong in both
    directions: the index refuses a seat that is wrongly marked free, and a request is refused for too few seats only
    when the database showed that within the last second, or no event of a free seat has arrived since it did. All seats
    of an unknown listing count as free.

    `is_followed` says whether events of orders arrive, in time, of all replicas.
    """

    def __init__(self, read: ReadSeats, is_followed: Callable[[], bool] = lambda: False) -> None:
        self._read = read
        self._is_followed = is_followed
        self._listings: OrderedDict[str, _Listing] = OrderedDict()
        self._seats = 0

    async def hold(self, ticket: TicketData, quantity: int, store: Store) -> Order:
        """Choose seats and store an order with them; repeat with other seats while another order is faster.

        `store` inserts and raises `SeatTakenError`; it may return the order of an earlier attempt, with other seats.
        Raises `TicketReservedError` when the database has shown fewer free seats than `quantity`,
        `ConcurrentUpdateError` after 64 lost races, and every error that `store` raises.
        """
        listing = self._listing(ticket)
        for _ in range(ATTEMPTS):
            seats = await self._choose(ticket.id, listing, quantity)
            try:
                order = await store(seats)
            except SeatTakenError as error:
                listing.settle(seats, free=True, lost=error.seat)
                if not listing.shown_within(
                    FRESH_SECONDS
                ):  # else the last reading is good enough to choose another seat
                    await self._refresh(ticket.id, listing)
            except BaseException:
                listing.settle(seats, free=True)
                raise
            else:
                listing.settle(seats, free=order.seats != seats)
                return order
        raise ConcurrentUpdateError

    def see(self, order: Order | OrderData) -> None:
        """Record an order that was stored here or came by an event: it has its seats, or has released them."""
        listing = self._listings.get(order.ticket.id)
        if listing is not None:
            listing.mark(order.seats, taken=order.status in ACTIVE_STATUSES)

    def clear(self) -> None:
        """Forget all listings: events were lost, and a free seat could be unknown without notice.

        A request that is in progress ends with the listing that it began with.
        """
        self._listings.clear()
        self._seats = 0

    async def _choose(self, ticket_id: str, listing: _Listing, quantity: int) -> tuple[int, ...]:
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            seats = listing.take(quantity)
            if seats is not None:
                return seats
            fresh_seconds = FOLLOWED_SECONDS if self._is_followed() else FRESH_SECONDS
            if listing.shown_free < quantity and listing.shown_within(fresh_seconds):
                raise TicketReservedError(ticket_id, available=listing.available)
            left = deadline - time.monotonic()
            if listing.chosen and left > 0:
                await listing.changed(left)
                continue
            if left <= 0:
                listing.chosen.clear()  # a request that hangs does not reserve seats
            await self._refresh(ticket_id, listing)

    async def _refresh(self, ticket_id: str, listing: _Listing) -> None:
        freed, version = listing.freed, listing.version
        reading = listing.begin_reading()
        try:
            taken = await self._read(ticket_id)
        finally:
            listing.readings -= 1
        if listing.version == version:  # else orders that precede the change may be missing
            listing.show(taken, reading=reading, freed=freed)

    def _listing(self, ticket: TicketData) -> _Listing:
        before = 0
        listing = self._listings.get(ticket.id)
        if listing is None:
            listing = self._listings[ticket.id] = _Listing()
        else:
            before = len(listing.taken)
            self._listings.move_to_end(ticket.id)
        listing.is_offered(ticket)
        self._seats += len(listing.taken) - before
        while len(self._listings) > REMEMBERED_LISTINGS or self._seats > REMEMBERED_SEATS:
            _, oldest = self._listings.popitem(last=False)
            self._seats -= len(oldest.taken)
        return listing
