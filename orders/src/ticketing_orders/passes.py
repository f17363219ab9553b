"""Passes: each seat of a sold order admits once. Nothing is stored for a pass until it is checked in."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import OrderStatus
from ticketing_common.security import PassClaims

from .domain import Order
from .errors import PassVoidError

ID_DIGITS: Final = 24


class PassStatus(StrEnum):
    """Whether a pass admits."""

    VALID = "valid"
    USED = "used"
    VOID = "void"


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One seat of a sold order, with the code that its QR code shows."""

    id: str
    seat: int
    status: PassStatus
    code: str


@dataclass(frozen=True, kw_only=True)
class Checkin:
    """The one admission with a pass. `checked_in_at` is UTC, by the clock of orders."""

    id: str = field(default_factory=new_id)
    pass_id: str
    order_id: str
    ticket_id: str
    seat: int
    checked_in_at: datetime = field(default_factory=utc_now)


def pass_id(order_id: str, seat: int) -> str:
    """The id of the pass for a seat of an order: the first 96 bits of a SHA-256.

    It is derived and not stored, so an order has its passes as soon as it is complete, and never twice. The order's id
    is part of it: when a seat is sold again after its order ended, it has another pass.
    """
    return sha256(f"pass/{order_id}/{seat}".encode()).hexdigest()[:ID_DIGITS]


def claims_of(order: Order) -> Iterator[PassClaims]:
    """What the code of each seat says, in the order of the seats."""
    for seat in sorted(order.seats):
        yield PassClaims(pass_id(order.id, seat), order.ticket.id, seat, order.ticket.starts_at)


def status_of(order: Order, *, used: bool) -> PassStatus:
    """The status of a pass of a sold order. An ended order makes all its passes void, those that were used too."""
    if order.status is not OrderStatus.COMPLETE:
        return PassStatus.VOID
    return PassStatus.USED if used else PassStatus.VALID


def check_admits(claims: PassClaims, holder: Order | None) -> Order:
    """The order that the pass belongs to; `holder` is the active order that has its seat now.

    Raises `PassVoidError` unless that order is complete and the pass is its own: else the order of the pass has ended,
    and the seat is free, or held or sold again.
    """
    if holder is None or holder.status is not OrderStatus.COMPLETE or pass_id(holder.id, claims.seat) != claims.pass_id:
        raise PassVoidError(claims.pass_id, claims.seat)
    return holder
