"""The database as a model: it decides which seats an order gets."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import TicketData, TicketStatus
from ticketing_orders.domain import Order
from ticketing_orders.errors import SeatTakenError

pytestmark = pytest.mark.unit


def listing(quantity: int, *, version: int = 1, highest_seat: int = 0, ticket_id: str = "a" * 24) -> TicketData:
    return TicketData(
        id=ticket_id,
        version=version,
        title="Opening night",
        description=None,
        venue=None,
        starts_at=None,
        price_cents=2_550,
        currency="usd",
        user_id="b" * 24,
        order_id=None,
        status=TicketStatus.AVAILABLE,
        created_at=utc_now(),
        quantity=quantity,
        highest_seat=highest_seat or quantity,
    )


class SeatIndex:
    """A unique index over seats; each call yields to the event loop before and after its effect."""

    def __init__(self, ticket: TicketData) -> None:
        self.ticket = ticket
        self.taken: dict[int, Order] = {}
        self.fewest_free = ticket.quantity
        self.readings = 0
        self.inserts = 0

    async def read(self, _ticket_id: str) -> list[int]:
        self.readings += 1
        await asyncio.sleep(0)
        shown = list(self.taken)
        await asyncio.sleep(0)
        return shown

    def store(self, order: Order | None = None) -> Callable[[tuple[int, ...]], Coroutine[Any, Any, Order]]:
        order = order or Order.place(self.ticket, user_id=new_id(), window_seconds=900)

        async def insert(seats: tuple[int, ...]) -> Order:
            assert len(set(seats)) == len(seats), "the index does not index one order's own seats"
            self.inserts += 1
            await asyncio.sleep(0)
            for seat in seats:
                if seat in self.taken:
                    raise SeatTakenError(seat)
            order.seats = seats
            self.taken.update(dict.fromkeys(seats, order))
            self.fewest_free = min(self.fewest_free, self.ticket.quantity - len(self.taken))
            await asyncio.sleep(0)
            return order

        return insert

    def cancel(self, order: Order) -> Order:
        order.cancel()
        for seat in order.seats:
            del self.taken[seat]
        return order
