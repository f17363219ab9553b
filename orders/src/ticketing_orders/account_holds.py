"""The limits on one account's holds: how many are open at a time, and how often it holds one ticket without paying."""

import random
from typing import Final

from ticketing_common.entity import seconds_until, utc_now
from ticketing_common.errors import ConcurrentUpdateError
from ticketing_common.web import quota

from .domain import Order
from .errors import HeldBeforeError, HoldSlotTakenError, TooManyHoldsError, TooManyReholdsError
from .publishers import OrderPublisher
from .repository import OrderRepository
from .settings import Settings

ATTEMPTS: Final = 12
TURNS_LOOKED_AT: Final = 100
"""Read in addition to the limit, since paid holds of one account and ticket do not count; there are rarely so many."""


class AccountHolds:
    """Stores new orders within the limits of their account, over all replicas and without a race.

    A hold is an order, with all of its seats. Every open hold of an account has a slot; there are as many slots as the
    account may have open holds. Every hold of a ticket by an account has a turn, counted from 0. A unique index over
    each decides, so two concurrent requests cannot take the same one. The usual hold costs no extra query: it tries a
    random slot and turn 0, and reads the account's orders only when one of them is taken. Orders without slot and turn
    do not count: those of earlier versions, and those of a replica where these limits are off.
    """

    def __init__(self, orders: OrderRepository, settings: Settings) -> None:
        off = settings.rate_limit_holds == "off"
        self._orders = orders
        self._slots = None if off or settings.rate_limit_open_holds == "off" else settings.rate_limit_open_holds
        self._reholds = None if off else quota(settings.rate_limit_reholds)

    async def add(self, order: Order, publish: OrderPublisher, *, repeated: bool) -> Order:
        """Store a new order and its event; `repeated` when an earlier attempt of the same request may have used its id.

        Raises `SeatTakenError`, `TooManyHoldsError`, `TooManyReholdsError`, and `ConcurrentUpdateError` when other
        requests of the same account are faster 12 times.
        """
        if order.slot is None and self._slots is not None:  # else this is a further attempt with other seats
            order.slot = random.randrange(self._slots)  # noqa: S311 (no secret)
        if order.turn is None and self._reholds is not None:
            order.turn = 0
        for _ in range(ATTEMPTS):
            try:
                if repeated:
                    return await self._orders.add_once(order, publish)
                await self._orders.add(order, publish)
            except HoldSlotTakenError:
                order.slot = await self._free_slot(order.user_id)
            except HeldBeforeError:
                order.turn = await self._next_turn(order)
            else:
                return order
        raise ConcurrentUpdateError

    async def _free_slot(self, user_id: str) -> int:
        assert self._slots is not None  # noqa: S101 (only then has an order a slot)
        holds = await self._orders.list_open_holds(user_id)
        free = set(range(self._slots)) - {hold.slot for hold in holds}
        if len(holds) >= self._slots or not free:
            raise TooManyHoldsError(self._slots, retry_after_seconds=seconds_until(holds[0].expires_at))
        return random.choice(sorted(free))  # noqa: S311

    async def _next_turn(self, order: Order) -> int:
        assert self._reholds is not None  # noqa: S101 (only then has an order a turn)
        allowed, window = self._reholds
        holds = await self._orders.list_turns(order.user_id, order.ticket.id, limit=allowed + TURNS_LOOKED_AT)
        since = utc_now() - window
        unpaid = [hold for hold in holds if hold.unpaid and hold.created_at > since]
        if len(unpaid) >= allowed:
            again = unpaid[allowed - 1].created_at + window
            raise TooManyReholdsError(order.ticket.id, retry_after_seconds=seconds_until(again))
        return max((hold.turn for hold in holds if hold.turn is not None), default=-1) + 1
