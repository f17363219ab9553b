"""The use cases of passes: show those of an order, check one in, count those of a listing."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from re import fullmatch

from ticketing_common.entity import ID_PATTERN, new_id, utc_now
from ticketing_common.events import OrderStatus, TicketData, TicketStatus
from ticketing_common.security import PassKeys, PassSigner, PublicKey
from ticketing_common.telemetry.metrics import CHECKINS

from .checkins import CheckinRepository
from .domain import Order
from .errors import (
    EventUndatedError,
    ListingForbiddenError,
    OrderNotCompleteError,
    PassNotFoundError,
    PassUsedError,
    PassVoidError,
    TicketNotFoundError,
)
from .passes import Checkin, Pass, PassStatus, check_admits, claims_of, pass_id, status_of
from .repository import OrderRepository, TicketProjection
from .settings import Settings


@dataclass(frozen=True, kw_only=True)
class CheckinCounts:
    """What a seller sees of a listing: its sold seats, its check-ins, and the passes that no longer admit."""

    sold: int
    checked_in: int
    void: Sequence[str]


def signing_keys(settings: Settings) -> tuple[PassSigner, PassKeys]:
    """What signs and what verifies codes; raises `ValueError` for keys that are not Ed25519, or that sign tokens too.

    A key has one purpose (NIST SP 800-57 part 1, section 5.2): else a pass and a token could be taken for each other.
    """
    signer = PassSigner(settings.pass_key.get_secret_value())
    keys = PassKeys.of(signer, settings.pass_public_keys)
    if keys.have_any_of(settings.jwt_public_keys):
        raise ValueError("PASS_KEY and PASS_PUBLIC_KEYS must differ from the keys of tokens (JWT_PUBLIC_KEYS)")
    return signer, keys


class PassService:
    """Signs and checks passes."""

    def __init__(
        self, orders: OrderRepository, tickets: TicketProjection, checkins: CheckinRepository, settings: Settings
    ) -> None:
        self._orders = orders
        self._tickets = tickets
        self._checkins = checkins
        self._overtake_wait_seconds = settings.overtake_wait_seconds
        self._signer, self._keys = signing_keys(settings)

    def public_keys(self) -> list[PublicKey]:
        """The keys that verify codes, that of new codes first."""
        return self._keys.jwk_set()

    async def list_of_order(self, order_id: str, *, user_id: str) -> list[Pass]:
        """The passes of the user's own order, by seat.

        Raises `OrderNotFoundError`, `OrderForbiddenError`, and `OrderNotCompleteError` when it never was complete.
        """
        order = await self._own(order_id, user_id)
        if not order.sold:
            raise OrderNotCompleteError(order_id)
        used = await self._checkins.list_used(order_id)
        return [
            Pass(
                id=one.pass_id,
                seat=one.seat,
                status=status_of(order, used=one.pass_id in used),
                code=self._signer.sign(one),
            )
            for one in claims_of(order)
        ]

    async def code(self, order_id: str, wanted_id: str, *, user_id: str) -> str:
        """The code of one pass, to show it.

        Raises as `list_of_order` does, `PassNotFoundError`, and `PassVoidError` for a pass that no longer admits.
        """
        for found in await self.list_of_order(order_id, user_id=user_id):
            if found.id == wanted_id:
                if found.status is PassStatus.VOID:
                    raise PassVoidError(found.id, found.seat)
                return found.code
        raise PassNotFoundError(order_id)

    async def dated_order(self, order_id: str, *, user_id: str) -> Order:
        """The user's own complete order, for the calendar.

        Raises as `list_of_order` does, `OrderNotCompleteError` for an ended one too, and `EventUndatedError`.
        """
        order = await self._own(order_id, user_id)
        if order.status is not OrderStatus.COMPLETE:
            raise OrderNotCompleteError(order_id)
        if order.ticket.starts_at is None:
            raise EventUndatedError(order_id)
        return order

    async def check_in(self, code: str, *, user_id: str, checkin_id: str | None = None) -> Checkin:
        """Admit with this code, once, for the seller of its listing.

        `checkin_id` is the id that an earlier attempt of the same request may have used; returns the check-in of that
        attempt if there is one. Raises `PassCodeError`, `ListingForbiddenError`, `PassVoidError` and `PassUsedError`.

        No pass admits once the event is called off, also while its orders are still being ended.

        The order is read, then one insert decides. An order that ends between the two is admitted: the check-in and the
        end are then both recorded, and the time of the check-in, taken before the order is read, is not later than the
        end.
        """
        claims = self._keys.verify(code)
        ticket = await self._tickets.find(claims.ticket_id)
        if ticket is None or ticket.user_id != user_id:
            raise ListingForbiddenError(claims.ticket_id)
        now = utc_now()
        try:
            if ticket.status is TicketStatus.CANCELLED:
                raise PassVoidError(claims.pass_id, claims.seat)
            order = check_admits(claims, await self._orders.find_holder(claims.ticket_id, claims.seat))
        except PassVoidError:
            # The event or the order may have ended after an earlier attempt of this request admitted.
            earlier = await self._checkins.find(checkin_id) if checkin_id else None
            if earlier is not None:
                return earlier
            CHECKINS.labels("void").inc()
            raise
        checkin = Checkin(
            id=checkin_id or new_id(),
            pass_id=claims.pass_id,
            order_id=order.id,
            ticket_id=claims.ticket_id,
            seat=claims.seat,
            checked_in_at=now,
        )
        try:
            stored = await self._checkins.add_once(checkin)
        except PassUsedError:
            CHECKINS.labels("used").inc()
            raise
        if stored is checkin:
            CHECKINS.labels("admitted").inc()
        return stored

    async def counts(self, ticket_id: str, *, user_id: str) -> CheckinCounts:
        """The counts of a listing for its seller; raises `TicketNotFoundError` and `ListingForbiddenError`."""
        await self._own_listing(ticket_id, user_id)
        ended = await self._orders.list_ended(ticket_id)
        return CheckinCounts(
            sold=await self._orders.count_sold(ticket_id),
            checked_in=await self._checkins.count(ticket_id),
            void=await asyncio.to_thread(_pass_ids, ended),  # 20,000 take 25 ms
        )

    async def _own(self, order_id: str, user_id: str) -> Order:
        order = await self._orders.get(order_id)
        order.check_owner(user_id)
        return order

    async def _own_listing(self, ticket_id: str, user_id: str) -> TicketData:
        if not fullmatch(ID_PATTERN, ticket_id):
            raise TicketNotFoundError
        ticket = await self._tickets.wait_for(ticket_id, seconds=self._overtake_wait_seconds)
        if ticket is None:
            raise TicketNotFoundError
        if ticket.user_id != user_id:
            raise ListingForbiddenError(ticket_id)
        return ticket


def _pass_ids(orders: Sequence[tuple[str, tuple[int, ...]]]) -> list[str]:
    return [pass_id(order_id, seat) for order_id, seats in orders for seat in sorted(seats)]
