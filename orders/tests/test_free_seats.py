"""The choice of seats, against a database in memory that responds with a delay, as the real one."""

import asyncio
import random
import time
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ticketing_common.entity import new_id
from ticketing_orders.domain import Order
from ticketing_orders.errors import SeatTakenError, TicketReservedError, TooManyHoldsError
from ticketing_orders.free_seats import REMEMBERED_LISTINGS, FreeSeats
from ticketing_testkit.waiting import until

from .seat_index import SeatIndex, listing

pytestmark = pytest.mark.unit


@given(st.integers(0, 2**32), st.integers(1, 3), st.integers(2, 30))
@settings(max_examples=60, deadline=None)
def test_every_seat_is_sold_once_and_no_buyer_is_refused_early(seed: int, replicas: int, quantity: int) -> None:
    """Against a model: replicas receive each other's orders late, and some orders are cancelled."""

    async def sale() -> None:
        chance = random.Random(seed)
        ticket = listing(quantity)
        index = SeatIndex(ticket)
        parts = [FreeSeats(index.read) for _ in range(replicas)]
        cancels = chance.random() < 0.5

        async def publish(order: Order, writer: FreeSeats) -> None:
            for part in parts:
                if part is not writer:
                    for _ in range(chance.randrange(4)):
                        await asyncio.sleep(0)
                part.see(order)

        async def buy(wanted: int) -> None:
            part = chance.choice(parts)
            for _ in range(chance.randrange(6)):
                await asyncio.sleep(0)
            try:
                order = await part.hold(ticket, wanted, index.store())
            except TicketReservedError:
                assert index.fewest_free < wanted, "at some moment of the last second"
                assert cancels or quantity - len(index.taken) < wanted, "without cancellations it stays so"
                return
            assert len(order.seats) == wanted
            assert set(order.seats) <= set(range(1, quantity + 1))
            await publish(order, part)
            if cancels and chance.random() < 0.4:
                part.see(index.cancel(order))
                await publish(order, part)

        await asyncio.gather(*(buy(chance.randint(1, 4)) for _ in range(40)))
        left = quantity - len(index.taken)
        for wanted in range(1, min(left, 4) + 1):
            order = await parts[0].hold(ticket, wanted, index.store())
            index.cancel(order)
            parts[0].see(order)
        with pytest.raises(TicketReservedError) as refused:
            await parts[-1].hold(ticket, left + 1, index.store())
        assert refused.value.members == {"available": left}

    asyncio.run(sale())


async def test_a_refusal_from_memory_counts_the_seats_that_were_taken_since_the_reading() -> None:
    ticket = listing(4)
    index = SeatIndex(ticket)
    free, other = FreeSeats(index.read, lambda: True), FreeSeats(index.read)

    async def refused() -> object:
        with pytest.raises(TicketReservedError) as error:
            await free.hold(ticket, 5, index.store())
        return error.value.members["available"]

    assert await refused() == 4
    await free.hold(ticket, 1, index.store())
    assert await refused() == 3
    free.see(await other.hold(ticket, 2, index.store()))
    before = index.readings
    assert await refused() == 1
    assert index.readings == before


async def test_concurrent_refusals_share_one_database_query() -> None:
    ticket = listing(500)
    index = SeatIndex(ticket)
    free = FreeSeats(index.read)
    for _ in range(125):
        await free.hold(ticket, 4, index.store())
    assert (index.readings, index.inserts) == (0, 125)

    async def refused() -> None:
        with pytest.raises(TicketReservedError):
            await free.hold(ticket, 1, index.store())

    await refused()
    await asyncio.gather(*(refused() for _ in range(200)))
    assert (index.readings, index.inserts) == (1, 125)


async def test_a_freed_seat_is_found_immediately() -> None:
    ticket = listing(3)
    index = SeatIndex(ticket)
    free = FreeSeats(index.read)
    order = await free.hold(ticket, 3, index.store())
    with pytest.raises(TicketReservedError):
        await free.hold(ticket, 1, index.store())
    free.see(index.cancel(order))
    assert len((await free.hold(ticket, 3, index.store())).seats) == 3


async def test_a_replica_without_knowledge_guesses_and_then_queries_the_database() -> None:
    ticket = listing(10)
    index = SeatIndex(ticket)
    await FreeSeats(index.read).hold(ticket, 9, index.store())
    other = FreeSeats(index.read)
    with pytest.raises(TicketReservedError) as refused:
        await other.hold(ticket, 2, index.store())
    assert refused.value.members == {"available": 1}
    assert len((await other.hold(ticket, 1, index.store())).seats) == 1


async def test_seats_of_an_order_that_was_not_stored_are_free_again() -> None:
    ticket = listing(2)
    index = SeatIndex(ticket)
    free = FreeSeats(index.read)

    async def refuse(_seats: tuple[int, ...]) -> Order:
        raise TooManyHoldsError(10, retry_after_seconds=1)

    with pytest.raises(TooManyHoldsError):
        await free.hold(ticket, 2, refuse)
    assert set((await free.hold(ticket, 2, index.store())).seats) == {1, 2}
    assert index.readings == 0


async def test_a_request_that_hangs_does_not_reserve_seats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ticketing_orders.free_seats.SETTLE_SECONDS", 0.05)
    ticket = listing(2)
    index = SeatIndex(ticket)
    free = FreeSeats(index.read)
    hangs = asyncio.Event()

    async def hang(_seats: tuple[int, ...]) -> Order:
        await hangs.wait()
        raise SeatTakenError(1)

    hanging = asyncio.create_task(free.hold(ticket, 2, hang))
    await asyncio.sleep(0)
    assert len((await free.hold(ticket, 2, index.store())).seats) == 2
    hangs.set()
    with pytest.raises(TicketReservedError):
        await hanging


async def test_readings_that_overlap_find_a_seat_that_another_replica_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cancellation's event is lost; the order's event arrives during a reading that does not show the order."""
    monkeypatch.setattr("ticketing_orders.free_seats.FRESH_SECONDS", 0.0)
    ticket = listing(1)
    index = SeatIndex(ticket)
    readings: list[asyncio.Future[list[int]]] = []

    async def read(_ticket_id: str) -> list[int]:
        readings.append(asyncio.get_running_loop().create_future())
        return await readings[-1]

    elsewhere, free = await FreeSeats(index.read).hold(ticket, 1, index.store()), FreeSeats(read)
    requests = [asyncio.create_task(free.hold(ticket, 1, index.store())) for _ in range(2)]
    await until(lambda: len(readings) >= 2)
    free.see(elsewhere)
    index.cancel(elsewhere)
    begun = 2
    for number in range(5):  # one reading is always in progress
        readings[number].set_result([])
        begun += 1
        await until(lambda: len(readings) >= begun or index.taken)  # noqa: B023 (the lambda does not outlive the round)
        if index.taken:
            break
    assert [order.seats for order in index.taken.values()] == [(1,)]
    for request in requests:
        request.cancel()


async def test_while_events_arrive_a_sold_out_listing_is_read_again_only_when_a_seat_is_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    later = 0.0
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + later)
    monkeypatch.setattr("ticketing_orders.free_seats.time", clock)
    ticket = listing(2)
    index, followed = SeatIndex(ticket), True
    free = FreeSeats(index.read, lambda: followed)

    async def is_refused() -> bool:
        try:
            await free.hold(ticket, 1, index.store())
        except TicketReservedError:
            return True
        return False

    held = await FreeSeats(index.read).hold(ticket, 2, index.store())
    free.see(held)
    assert await is_refused()
    readings = index.readings
    later += 60
    assert await is_refused()
    assert index.readings == readings, "from memory"
    followed = False
    assert await is_refused()
    assert index.readings > readings, "events may be missing"
    followed = True
    free.see(index.cancel(held))
    assert not await is_refused()


@given(st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_a_lowered_quantity_is_kept_whatever_seats_are_taken(seed: int) -> None:
    """Seats above the new quantity stay with their orders, and as many below are not sold."""

    async def sale() -> None:
        chance = random.Random(seed)
        index = SeatIndex(listing(20))
        before = FreeSeats(index.read)
        orders = [await before.hold(index.ticket, 1, index.store()) for _ in range(chance.randrange(1, 15))]
        quantity = chance.randint(len(orders), 20)
        lowered = listing(quantity, version=2, highest_seat=20)
        parts = [before, FreeSeats(index.read)]

        async def buy() -> None:
            part = chance.choice(parts)
            try:
                order = await part.hold(lowered, 1, index.store())
            except TicketReservedError:
                return
            assert len(index.taken) <= quantity
            if chance.random() < 0.3:
                part.see(index.cancel(order))

        async def give_back(order: Order) -> None:
            await asyncio.sleep(0)
            if chance.random() < 0.3:
                chance.choice(parts).see(index.cancel(order))

        await asyncio.gather(*(buy() for _ in range(30)), *(give_back(order) for order in orders))
        await asyncio.gather(*(buy() for _ in range(20)))
        assert len(index.taken) <= quantity
        for part in parts:
            for known in part._listings.values():
                known.shown_at = -1.0
        while len(index.taken) < quantity:
            await parts[0].hold(lowered, 1, index.store())
        with pytest.raises(TicketReservedError):
            await parts[1].hold(lowered, 1, index.store())

    asyncio.run(sale())


async def test_a_raised_quantity_gives_more_seats() -> None:
    index = SeatIndex(listing(2))
    free = FreeSeats(index.read)
    await free.hold(index.ticket, 2, index.store())
    with pytest.raises(TicketReservedError):
        await free.hold(index.ticket, 1, index.store())
    await free.hold(listing(4, version=2), 2, index.store())
    assert set(index.taken) == {1, 2, 3, 4}


async def test_more_seats_than_there_are_is_refused_with_their_number() -> None:
    index = SeatIndex(listing(1))
    with pytest.raises(TicketReservedError) as refused:
        await FreeSeats(index.read).hold(index.ticket, 2, index.store())
    assert refused.value.members == {"available": 1}
    assert index.inserts == 0


async def test_the_memory_has_a_size_limit() -> None:
    index = SeatIndex(listing(1))
    free = FreeSeats(index.read)
    for _ in range(REMEMBERED_LISTINGS + 5):
        ticket = listing(2, ticket_id=new_id())
        await free.hold(ticket, 1, SeatIndex(ticket).store())
    assert len(free._listings) == REMEMBERED_LISTINGS
    assert free._seats == sum(len(known.taken) for known in free._listings.values())
