"""Orders that end after they were paid: the event is called off, the seller refunds, or Stripe returns the money."""

import asyncio
from typing import Any

import pytest

from ticketing_common.entity import new_id
from ticketing_common.errors import ConcurrentUpdateError
from ticketing_common.events import OrderReason, OrderStatus, PaymentStatus, TicketData, TicketStatus
from ticketing_common.web import PageRequest
from ticketing_orders import service as use_cases
from ticketing_orders.domain import Order
from ticketing_orders.errors import (
    EventCancelledError,
    ListingForbiddenError,
    OrderNotFoundError,
    OrderNotSoldError,
    OrderTransitionError,
    TicketNotFoundError,
)
from ticketing_orders.publishers import order_created, order_republished
from ticketing_orders.repository import OrderRepository, TicketProjection
from ticketing_orders.service import OrderService

from .conftest import MakeOrder, MakePayment, MakeTicket

ENDED = (OrderStatus.CANCELLED, OrderReason.EVENT_CANCELLED)


def called_off(ticket: TicketData, version: int = 2) -> TicketData:
    return ticket.model_copy(update={"version": version, "status": TicketStatus.CANCELLED})


async def published(orders: OrderRepository, order: Order) -> list[str]:
    """The names of the events of an order, in the order in which they were committed."""
    document = await orders.collection.find_one({"_id": order.id})
    assert document is not None
    return [entry["subject"].rpartition(".")[0] for entry in document["outbox"]]


async def outcome(orders: OrderRepository, order: Order) -> tuple[OrderStatus, OrderReason | None]:
    found = await orders.get(order.id)
    return found.status, found.reason


@pytest.fixture
async def listing(service: OrderService, make_ticket: MakeTicket) -> TicketData:
    """A listing of many seats in the projection."""
    ticket = make_ticket(quantity=1_000, highest_seat=1_000)
    await service.follow_ticket(ticket)
    return ticket


async def hold(service: OrderService, ticket: TicketData) -> Order:
    return await service.place(ticket.id, user_id=new_id())


async def buy(service: OrderService, ticket: TicketData, make_payment: MakePayment) -> tuple[Order, Any]:
    order = await hold(service, ticket)
    payment = make_payment(order)
    await service.follow_payment(payment)
    return order, payment


async def test_calling_an_event_off_ends_held_and_paid_orders_once(
    service: OrderService, orders: OrderRepository, listing: TicketData, make_payment: MakePayment
) -> None:
    held = await hold(service, listing)
    paid, _ = await buy(service, listing, make_payment)
    for _ in range(2):  # redelivered: the same again, and nothing more is published
        await service.follow_ticket(called_off(listing))
    assert [await outcome(orders, order) for order in (held, paid)] == [ENDED, ENDED]
    assert await published(orders, held) == ["order.created", "order.cancelled"]
    assert await published(orders, paid) == ["order.created", "order.completed", "order.cancelled"]


async def test_another_listing_keeps_its_orders(
    service: OrderService, orders: OrderRepository, listing: TicketData, make_ticket: MakeTicket
) -> None:
    other = make_ticket()
    await service.follow_ticket(other)
    order = await hold(service, other)
    await service.follow_ticket(called_off(listing))
    assert await outcome(orders, order) == (OrderStatus.CREATED, None)


async def test_a_cancelled_event_takes_no_new_holds(service: OrderService, listing: TicketData) -> None:
    buyer, order_id = new_id(), new_id()
    order = await service.place(listing.id, user_id=buyer, order_id=order_id)
    await service.follow_ticket(called_off(listing))
    with pytest.raises(EventCancelledError):
        await hold(service, listing)
    repeated = await service.place(listing.id, user_id=buyer, order_id=order_id)
    assert (repeated.id, repeated.reason) == (order.id, OrderReason.EVENT_CANCELLED), "the first try had placed it"


async def test_a_hold_stored_after_the_cancellation_ends_when_it_is_published_again(
    service: OrderService, orders: OrderRepository, listing: TicketData, make_order: MakeOrder
) -> None:
    await service.follow_ticket(called_off(listing))
    late = make_order(listing)  # its request had read the listing just before
    await orders.add(late, order_created)
    await service.follow_ticket(called_off(listing, version=3))
    assert await outcome(orders, late) == ENDED


async def test_an_older_update_after_the_cancellation_revives_nothing(
    service: OrderService, orders: OrderRepository, tickets: TicketProjection, listing: TicketData
) -> None:
    order = await hold(service, listing)
    await tickets.apply(called_off(listing, version=3))  # and here the process died
    await service.follow_ticket(listing.model_copy(update={"version": 2}))
    assert await outcome(orders, order) == ENDED
    with pytest.raises(EventCancelledError):
        await hold(service, listing)


async def test_a_crash_in_the_middle_of_thousands_of_orders_is_completed_by_the_redelivery(
    service: OrderService, orders: OrderRepository, listing: TicketData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(use_cases, "END_AT_ONCE", 4)
    placed = [await hold(service, listing) for _ in range(10)]
    update, calls = orders.update, 0

    async def dies(*given: Any) -> Order:
        nonlocal calls
        calls += 1
        if calls == 6:
            raise asyncio.CancelledError
        return await update(*given)

    with monkeypatch.context() as patch:
        patch.setattr(orders, "update", dies)
        with pytest.raises(asyncio.CancelledError):
            await service.follow_ticket(called_off(listing))
    await service.follow_ticket(called_off(listing))
    assert {await outcome(orders, order) for order in placed} == {ENDED}
    assert {tuple(await published(orders, order)) for order in placed} == {("order.created", "order.cancelled")}


async def test_one_order_that_cannot_be_changed_does_not_stop_the_others(
    service: OrderService, orders: OrderRepository, listing: TicketData, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed = [await hold(service, listing) for _ in range(5)]
    update = orders.update

    async def contended(order_id: str, change: Any) -> Order:
        if order_id == placed[1].id:
            raise ConcurrentUpdateError
        return await update(order_id, change)

    with monkeypatch.context() as patch:
        patch.setattr(orders, "update", contended)
        with pytest.raises(ConcurrentUpdateError):
            await service.follow_ticket(called_off(listing))
    outcomes = [await outcome(orders, order) for order in placed]
    assert outcomes == [ENDED, (OrderStatus.CREATED, None), ENDED, ENDED, ENDED]


async def test_a_payment_against_the_cancellation_has_one_outcome(
    service: OrderService, orders: OrderRepository, listing: TicketData, make_payment: MakePayment
) -> None:
    placed = [await hold(service, listing) for _ in range(20)]
    await asyncio.gather(
        *(service.follow_payment(make_payment(order)) for order in placed), service.follow_ticket(called_off(listing))
    )
    assert {await outcome(orders, order) for order in placed} == {ENDED}


async def test_the_seller_refunds_a_paid_order_once(
    service: OrderService, orders: OrderRepository, listing: TicketData, make_payment: MakePayment
) -> None:
    order, payment = await buy(service, listing, make_payment)
    for _ in range(2):
        refunded = await service.refund(order.id, seller_id=listing.user_id)
        assert (refunded.status, refunded.reason) == (OrderStatus.CANCELLED, OrderReason.REFUNDED)
    await service.follow_payment(payment.model_copy(update={"version": 4, "status": PaymentStatus.REFUNDED}))
    assert await published(orders, order) == ["order.created", "order.completed", "order.cancelled"]


async def test_only_the_seller_refunds(
    service: OrderService, orders: OrderRepository, listing: TicketData, make_payment: MakePayment
) -> None:
    order, _ = await buy(service, listing, make_payment)
    for other in (order.user_id, new_id()):
        with pytest.raises(OrderNotSoldError):
            await service.refund(order.id, seller_id=other)
    with pytest.raises(OrderNotFoundError):
        await service.refund(new_id(), seller_id=listing.user_id)
    assert await outcome(orders, order) == (OrderStatus.COMPLETE, None)


async def test_an_order_that_is_not_paid_is_not_refunded(service: OrderService, listing: TicketData) -> None:
    order = await hold(service, listing)
    for _ in range(2):
        with pytest.raises(OrderTransitionError):
            await service.refund(order.id, seller_id=listing.user_id)
        await service.cancel(order.id, user_id=order.user_id)


async def test_money_that_went_back_at_stripe_ends_the_order_that_it_paid(
    service: OrderService, orders: OrderRepository, listing: TicketData, make_payment: MakePayment
) -> None:
    order, payment = await buy(service, listing, make_payment)
    back = {"version": 4, "status": PaymentStatus.REFUNDED, "refunded_cents": payment.amount_cents}
    await service.follow_payment(make_payment(order, **back))  # another payment of the order
    assert await outcome(orders, order) == (OrderStatus.COMPLETE, None)
    for _ in range(2):
        await service.follow_payment(payment.model_copy(update=back))
    assert await outcome(orders, order) == (OrderStatus.CANCELLED, OrderReason.REFUNDED)
    assert await published(orders, order) == ["order.created", "order.completed", "order.cancelled"]


async def test_a_part_refund_and_an_open_dispute_leave_the_order_complete_and_are_published_once(
    service: OrderService, orders: OrderRepository, listing: TicketData, make_payment: MakePayment
) -> None:
    order, payment = await buy(service, listing, make_payment)
    completed_at = (await orders.get(order.id)).updated_at
    part = {"version": 4, "status": PaymentStatus.CAPTURED, "refunded_cents": 1}
    disputed = part | {"version": 5, "disputed": True}
    won = part | {"version": 6}
    for change in (part, part, disputed, part, disputed, won):  # repeated, and an older one after a newer
        await service.follow_payment(payment.model_copy(update=change))
    other = {"version": 4, "status": PaymentStatus.CAPTURED, "refunded_cents": 2}
    await service.follow_payment(make_payment(order, **other))  # another payment of the order
    assert await outcome(orders, order) == (OrderStatus.COMPLETE, None)
    assert await published(orders, order) == ["order.created", *["order.completed"] * 4]
    data = order_republished(await orders.get(order.id)).data
    assert (data.refunded_cents, data.disputed) == (1, False)
    assert data.changed_at == completed_at, "else a mail about the sale is sent again weeks later"
    ended = await service.refund(order.id, seller_id=listing.user_id)
    assert order_republished(ended).data.changed_at == ended.updated_at


async def test_a_refund_that_overtakes_the_authorisation_completes_nothing(
    service: OrderService, orders: OrderRepository, listing: TicketData, make_payment: MakePayment
) -> None:
    order = await hold(service, listing)
    payment = make_payment(order)
    await service.follow_payment(payment.model_copy(update={"version": 4, "status": PaymentStatus.REFUNDED}))
    await service.follow_payment(payment)
    assert await outcome(orders, order) == (OrderStatus.CREATED, None)


async def test_the_seller_sees_the_paid_orders_of_a_listing(
    service: OrderService, listing: TicketData, make_payment: MakePayment
) -> None:
    await hold(service, listing)
    paid = [(await buy(service, listing, make_payment))[0] for _ in range(3)]
    await service.refund(paid[0].id, seller_id=listing.user_id)
    first = await service.list_sales(listing.id, seller_id=listing.user_id, page=PageRequest(1))
    assert [order.id for order in first.items] == [paid[2].id]
    assert first.next_after is not None
    rest = await service.list_sales(listing.id, seller_id=listing.user_id, page=PageRequest(5, first.next_after))
    assert [order.id for order in rest.items] == [paid[1].id]
    with pytest.raises(ListingForbiddenError):
        await service.list_sales(listing.id, seller_id=paid[1].user_id, page=PageRequest(5))
    for unknown in (new_id(), "x", ""):
        with pytest.raises(TicketNotFoundError):
            await service.list_sales(unknown, seller_id=listing.user_id, page=PageRequest(5))
