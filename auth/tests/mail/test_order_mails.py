import asyncio
import itertools
from datetime import datetime, timedelta
from typing import Any

import pytest

from ticketing_auth.domain import User
from ticketing_auth.mail import MailDelivery, MailKind, Mails, OrderMails
from ticketing_auth.mail.orders import OLDEST_FACT
from ticketing_auth.repository import UserRepository
from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import (
    OrderCancelled,
    OrderCompleted,
    OrderData,
    OrderEvent,
    OrderReason,
    OrderStatus,
    OrderTicket,
)
from ticketing_testkit.apps import Bus
from ticketing_testkit.waiting import until

from .conftest import MailServer, text_of

BUYER, SELLER = new_id(), new_id()


def an_order(
    status: OrderStatus = OrderStatus.COMPLETE,
    reason: str | None = None,
    *,
    paid: bool = True,
    changed_at: datetime | None = None,
    seller: str | None = SELLER,
    **changes: Any,
) -> OrderData:
    now = utc_now()
    fields: dict[str, Any] = {
        "id": "6b0400000000000000000001",
        "version": 2,
        "status": status,
        "reason": OrderReason(reason) if reason in set(OrderReason) else None,
        "user_id": BUYER,
        "expires_at": now + timedelta(minutes=15),
        "created_at": now,
        "payment_id": new_id() if paid else None,
        "ticket": OrderTicket(id=new_id(), title="The Tempest", price_cents=2_550, currency="usd", user_id=seller),
        "changed_at": changed_at or now,
        **changes,
    }
    order = OrderData.model_validate(fields)
    # A reason of a later version of orders is not in this one's schema.
    return order if order.reason == reason else order.model_copy(update={"reason": reason})


async def requested(mails: Mails) -> set[tuple[str, str]]:
    return {(mail["kind"], mail["user_id"]) async for mail in mails.collection.find()}


def event_of(order: OrderData, *, time: datetime | None = None) -> OrderEvent:
    return (OrderCompleted if order.status is OrderStatus.COMPLETE else OrderCancelled).of(order, time=time)


async def follow(mails: Mails, *orders: OrderData) -> set[tuple[str, str]]:
    await OrderMails(mails).follow([event_of(order) for order in orders])
    return await requested(mails)


async def test_a_completed_order_is_mailed_to_buyer_and_seller(mails: Mails) -> None:
    assert await follow(mails, an_order()) == {("order_complete", BUYER), ("sold", SELLER)}


@pytest.mark.parametrize(
    ("reason", "paid", "expected"),
    [
        ("buyer", False, set()),
        ("expired", False, {("hold_expired", BUYER)}),
        ("ticket_gone", False, {("hold_ended", BUYER)}),
        ("event_cancelled", False, {("hold_ended", BUYER)}),
        ("event_cancelled", True, {("event_cancelled", BUYER)}),
        ("payment_failed", True, {("payment_failed", BUYER), ("sale_cancelled", SELLER)}),
        ("refunded", True, {("refunded", BUYER), ("sale_cancelled", SELLER)}),
        ("a reason of a later version", True, set()),
    ],
)
async def test_a_cancelled_order_is_mailed_by_its_reason(
    mails: Mails, reason: str, paid: bool, expected: set[tuple[str, str]]
) -> None:
    assert await follow(mails, an_order(OrderStatus.CANCELLED, reason, paid=paid)) == expected


async def test_an_open_hold_is_not_mailed(mails: Mails) -> None:
    assert await follow(mails, an_order(OrderStatus.CREATED, paid=False)) == set()


async def test_an_order_without_a_known_seller_is_mailed_to_the_buyer_alone(mails: Mails) -> None:
    assert await follow(mails, an_order(seller=None)) == {("order_complete", BUYER)}


async def test_a_fact_that_comes_often_is_mailed_once(mails: Mails) -> None:
    order = an_order()
    await asyncio.gather(*(OrderMails(mails).follow([event_of(order)]) for _ in range(10)))
    assert await mails.collection.count_documents({}) == 2


async def test_an_old_fact_is_not_mailed(mails: Mails) -> None:
    """Neither at the first start, with a week of events in the stream, nor on a resync, whose events are new."""
    long_ago = utc_now() - OLDEST_FACT - timedelta(minutes=1)

    assert await follow(mails, an_order(changed_at=long_ago)) == set()
    before_changed_at = an_order().model_copy(update={"changed_at": None})
    await OrderMails(mails).follow([event_of(before_changed_at, time=long_ago)])
    assert await requested(mails) == set()

    recent = long_ago + timedelta(hours=1)
    assert await follow(mails, an_order(changed_at=recent)) != set()


@pytest.mark.parametrize("orders", list(itertools.permutations([OrderStatus.COMPLETE, OrderStatus.CANCELLED])))
async def test_a_buyer_gets_no_mail_about_passes_that_are_void(
    mails: Mails,
    users: UserRepository,
    delivery: MailDelivery,
    mail_server: MailServer,
    orders: tuple[OrderStatus, OrderStatus],
) -> None:
    """In whatever order the events come, if both come before the first mail is sent."""
    await users.add(User(id=BUYER, email="buyer@example.com", password_hash="x"))
    await users.add(User(id=SELLER, email="seller@example.com", password_hash="x"))
    for status in orders:
        await follow(mails, an_order(status, "payment_failed" if status is OrderStatus.CANCELLED else None))

    await delivery.deliver_due()

    assert sorted(mail_server.recipients) == ["buyer@example.com", "seller@example.com"]
    assert sorted(message["Subject"] for message in mail_server.received) == [
        "A sale was undone: The Tempest",
        "Your payment failed: The Tempest",
    ]


async def test_the_mail_of_a_completed_order_links_to_its_passes(
    mails: Mails, users: UserRepository, delivery: MailDelivery, mail_server: MailServer
) -> None:
    await users.add(User(id=BUYER, email="buyer@example.com", password_hash="x"))
    await follow(mails, an_order())
    await delivery.deliver_due()
    assert "https://tickets.example/orders/6b0400000000000000000001" in text_of(mail_server.received[0])


async def test_the_service_requests_mails_for_events_of_orders(auth: Any, bus: Bus, mails: Mails) -> None:
    """Every event twice, as two events: a republished one has another id."""
    completed, cancelled = an_order(), an_order(OrderStatus.CANCELLED, "expired", paid=False, id=new_id())
    for _ in range(2):
        await bus.publish(OrderCompleted.of(completed))
        await bus.publish(OrderCancelled.of(cancelled))

    async def all_are_handled() -> bool:
        info = await bus.js.consumer_info("ORDERS", "auth-orders")
        assert info.delivered is not None
        return bool(info.num_pending == 0 and info.num_ack_pending == 0 and info.delivered.consumer_seq >= 4)

    await until(all_are_handled)
    assert await requested(mails) == {("order_complete", BUYER), ("sold", SELLER), ("hold_expired", BUYER)}
    assert await mails.collection.count_documents({"kind": MailKind.ORDER_COMPLETE.value}) == 1
