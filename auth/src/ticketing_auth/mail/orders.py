"""Which mails an order event asks for, and when such a mail is no longer wanted."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from ticketing_auth.domain import User
from ticketing_common.entity import utc_now
from ticketing_common.events import OrderData, OrderEvent, OrderReason, OrderStatus

from .kinds import Mail, MailKind, Values
from .mails import MailRequest, Mails
from .queue import MailQueue

OLDEST_FACT: Final = timedelta(days=1)
"""Older facts are not mailed: neither at the first start, nor on a resync, nor after a long outage."""

_FOR_BUYER: Final[Mapping[str, MailKind]] = {
    "expired": MailKind.HOLD_EXPIRED,
    "ticket_gone": MailKind.HOLD_ENDED,
    "payment_failed": MailKind.PAYMENT_FAILED,
    "event_cancelled": MailKind.EVENT_CANCELLED,
    "refunded": MailKind.REFUNDED,
}
"""By the reason of the cancellation. A buyer who cancels needs no mail. A reason without a row has no mail."""
_ENDS: Final = (MailKind.PAYMENT_FAILED, MailKind.EVENT_CANCELLED, MailKind.REFUNDED)
_UNDONE: Final = frozenset({"payment_failed", "refunded"})


class OrderMails:
    """Requests the mails of an order: one for each of its facts, in whatever order and however often events come."""

    def __init__(self, mails: Mails) -> None:
        self._mails = mails

    async def follow(self, events: Sequence[OrderEvent]) -> None:
        """Request what completed and cancelled orders ask for. Facts older than `OLDEST_FACT` ask for nothing."""
        requests = []
        for event in events:
            # An event that is handled alone has its trace.
            requests += _requests(event, event.traceparent if len(events) > 1 else None)
        if requests:
            await self._mails.request_all(requests)


def _requests(event: OrderEvent, traceparent: str | None) -> list[MailRequest]:
    order, asked = event.data, list[MailRequest]()
    if utc_now() - (order.changed_at or event.time) > OLDEST_FACT:
        return asked

    def ask(kind: MailKind, user_id: str | None, values: Mapping[str, Any]) -> None:
        if user_id is not None:  # the seller of an order from before events named them
            asked.append(MailRequest(kind, user_id, order.id, values, traceparent))

    values = _values(order)
    if order.status is OrderStatus.COMPLETE:
        ask(MailKind.ORDER_COMPLETE, order.user_id, values)
        ask(MailKind.SOLD, order.ticket.user_id, values)
    elif order.status is OrderStatus.CANCELLED and order.reason is not None:
        kind = _FOR_BUYER.get(order.reason)
        if kind is MailKind.EVENT_CANCELLED and not order.payment_id:  # an unpaid hold: no money comes back
            kind = MailKind.HOLD_ENDED
        if kind is not None:
            ask(kind, order.user_id, values)
        if order.reason in _UNDONE and order.payment_id:
            undone = {**values, "payment_failed": order.reason is OrderReason.PAYMENT_FAILED}
            ask(MailKind.SALE_CANCELLED, order.ticket.user_id, undone)
    return asked


def order_mails(queue: MailQueue) -> Mapping[MailKind, Values]:
    """For the mails that a later fact about the same order makes untrue: None once that fact is known."""

    async def complete(mail: Mail, user: User) -> Mapping[str, Any] | None:
        ended = await queue.has_mail(user.id, [f"{kind}:{mail.fact}" for kind in _ENDS])
        return None if ended else mail.values

    async def sold(mail: Mail, user: User) -> Mapping[str, Any] | None:
        undone = await queue.has_mail(user.id, [f"{MailKind.SALE_CANCELLED}:{mail.fact}"])
        return None if undone else mail.values

    return {MailKind.ORDER_COMPLETE: complete, MailKind.SOLD: sold}


def _values(order: OrderData) -> dict[str, Any]:
    return {
        "order_id": order.id,
        "ticket_id": order.ticket.id,
        "title": order.ticket.title,
        "venue": order.ticket.venue,
        "starts_at": order.ticket.starts_at,
        "seats": len(order.seats),
        "total_cents": order.total_cents,
        "currency": order.ticket.currency,
    }
