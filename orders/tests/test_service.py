import asyncio
from datetime import timedelta

import pytest

from ticketing_common.entity import new_id, utc_now
from ticketing_common.errors import NotFoundError, PermanentError
from ticketing_common.events import OrderReason, OrderStatus, PaymentStatus, TicketStatus
from ticketing_orders.errors import (
    EventBegunError,
    OrderNotFoundError,
    TicketNotFoundError,
)
from ticketing_orders.publishers import order_created
from ticketing_orders.repository import OrderRepository, TicketProjection
from ticketing_orders.service import OrderService

from .conftest import MakeOrder, MakePayment, MakeTicket, place, published

# --- placing ----------------------------------------------------------------------------------------------------------


async def test_an_order_is_paid_at_the_price_it_was_placed_at(
    service: OrderService, orders: OrderRepository, make_ticket: MakeTicket, make_payment: MakePayment
) -> None:
    ticket = make_ticket(price_cents=1_000)
    order = await place(service, ticket)
    await service.follow_ticket(ticket.model_copy(update={"version": 2, "price_cents": 9_900, "title": "Dearer"}))
    await service.follow_payment(make_payment(order))
    paid = await orders.get(order.id)
    assert (paid.status, paid.ticket.price_cents, paid.ticket.title) == (OrderStatus.COMPLETE, 1_000, ticket.title)


async def test_a_new_order_sees_the_new_price(service: OrderService, make_ticket: MakeTicket) -> None:
    ticket = make_ticket(price_cents=1_000)
    await service.follow_ticket(ticket)
    order = await place(service, ticket.model_copy(update={"version": 2, "price_cents": 900}))
    assert order.ticket.price_cents == 900


async def test_an_order_that_precedes_its_tickets_event_waits_for_it(
    service: OrderService, make_ticket: MakeTicket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_settings", service._settings.model_copy(update={"overtake_wait_seconds": 30.0}))
    ticket = make_ticket()
    placing = asyncio.create_task(service.place(ticket.id, user_id=new_id()))
    await asyncio.sleep(0)  # let it begin
    await service.follow_ticket(ticket)
    assert (await placing).ticket.id == ticket.id


async def test_a_ticket_whose_event_has_begun_is_not_held_and_nothing_is_written(
    service: OrderService, orders: OrderRepository, make_ticket: MakeTicket
) -> None:
    with pytest.raises(EventBegunError):
        await place(service, make_ticket(starts_at=utc_now() - timedelta(seconds=1)))
    assert await orders.collection.count_documents({}) == 0


async def test_a_repeated_request_gets_its_order_though_the_event_has_begun_meanwhile(
    service: OrderService, make_ticket: MakeTicket
) -> None:
    """The first try died after it had stored the order, and the second one comes after the beginning."""
    ticket, buyer, order_id = make_ticket(starts_at=utc_now() + timedelta(hours=1)), new_id(), new_id()
    await service.follow_ticket(ticket)
    order = await service.place(ticket.id, user_id=buyer, order_id=order_id)
    begun = {"version": 2, "starts_at": utc_now() - timedelta(seconds=1)}
    await service.follow_ticket(ticket.model_copy(update=begun))

    assert await service.place(ticket.id, user_id=buyer, order_id=order_id) == order
    with pytest.raises(EventBegunError):
        await service.place(ticket.id, user_id=buyer, order_id=new_id())


@pytest.mark.parametrize("ticket_id", ["f" * 24, "abc", "", "F" * 24, "a" * 10_000, "a" * 24 + "\n", "{'$ne': None}"])
async def test_what_names_no_ticket_is_not_found(
    service: OrderService, orders: OrderRepository, ticket_id: str
) -> None:
    with pytest.raises(TicketNotFoundError):
        await service.place(ticket_id, user_id=new_id())
    assert await orders.collection.count_documents({}) == 0


async def test_a_deleted_ticket_is_not_found(service: OrderService, make_ticket: MakeTicket) -> None:
    ticket = make_ticket(status=TicketStatus.DELETED)
    with pytest.raises(TicketNotFoundError):
        await place(service, ticket)


# --- the ticket is deleted --------------------------------------------------------------------------------------------


async def test_a_deleted_ticket_ends_its_unpaid_order(
    service: OrderService, orders: OrderRepository, make_ticket: MakeTicket
) -> None:
    ticket = make_ticket()
    order = await place(service, ticket)
    deleted = ticket.model_copy(update={"version": 2, "status": TicketStatus.DELETED})
    for _ in range(2):  # redelivered: the same again, and nothing more is published
        await service.follow_ticket(deleted)
        ended = await orders.get(order.id)
        assert (ended.status, ended.reason) == (OrderStatus.CANCELLED, OrderReason.TICKET_GONE)
    assert await published(orders, order) == ["order.created", "order.cancelled"]


async def test_a_deletion_published_again_ends_an_order_that_came_too_late(
    service: OrderService, orders: OrderRepository, make_ticket: MakeTicket, make_order: MakeOrder
) -> None:
    ticket = make_ticket(version=2, status=TicketStatus.DELETED)
    await service.follow_ticket(ticket)
    order = make_order(ticket)  # its request had read the ticket just before
    await orders.add(order, order_created)
    await service.follow_ticket(ticket.model_copy(update={"version": 3}))
    assert (await orders.get(order.id)).reason is OrderReason.TICKET_GONE


async def test_a_crash_between_projection_and_order_heals_on_redelivery(
    service: OrderService, orders: OrderRepository, tickets: TicketProjection, make_ticket: MakeTicket
) -> None:
    ticket = make_ticket()
    order = await place(service, ticket)
    deleted = ticket.model_copy(update={"version": 2, "status": TicketStatus.DELETED})
    await tickets.apply(deleted)  # and here the process died
    await service.follow_ticket(deleted)
    assert (await orders.get(order.id)).reason is OrderReason.TICKET_GONE


async def test_an_older_update_after_the_deletion_still_ends_the_order(
    service: OrderService, orders: OrderRepository, tickets: TicketProjection, make_ticket: MakeTicket
) -> None:
    ticket = make_ticket()
    order = await place(service, ticket)
    await tickets.apply(ticket.model_copy(update={"version": 3, "status": TicketStatus.DELETED}))
    await service.follow_ticket(ticket.model_copy(update={"version": 2}))
    assert (await orders.get(order.id)).reason is OrderReason.TICKET_GONE


async def test_a_paid_order_outlives_its_ticket(
    service: OrderService, orders: OrderRepository, make_ticket: MakeTicket, make_payment: MakePayment
) -> None:
    ticket = make_ticket()
    order = await place(service, ticket)
    await service.follow_payment(make_payment(order))
    await service.follow_ticket(ticket.model_copy(update={"version": 2, "status": TicketStatus.DELETED}))
    assert (await orders.get(order.id)).status is OrderStatus.COMPLETE


# --- payments ---------------------------------------------------------------------------------------------------------


async def test_an_authorised_payment_completes_the_order_once(
    service: OrderService, orders: OrderRepository, make_ticket: MakeTicket, make_payment: MakePayment
) -> None:
    order = await place(service, make_ticket())
    payment = make_payment(order)
    for _ in range(3):
        await service.follow_payment(payment)
    paid = await orders.get(order.id)
    assert (paid.status, paid.payment_id, paid.version) == (OrderStatus.COMPLETE, payment.id, 2)
    assert await published(orders, order) == ["order.created", "order.completed"]


async def test_an_authorisation_for_a_cancelled_order_changes_nothing(
    service: OrderService, orders: OrderRepository, make_ticket: MakeTicket, make_payment: MakePayment
) -> None:
    order = await place(service, make_ticket())
    await service.cancel(order.id, user_id=order.user_id)
    await service.follow_payment(make_payment(order))
    ended = await orders.get(order.id)
    assert (ended.status, ended.payment_id, ended.version) == (OrderStatus.CANCELLED, None, 2)


async def test_a_late_authorisation_does_not_complete_a_ticket_sold_on(
    service: OrderService, orders: OrderRepository, make_ticket: MakeTicket, make_payment: MakePayment
) -> None:
    ticket = make_ticket()
    first = await place(service, ticket)
    await service.cancel(first.id, user_id=first.user_id)
    second = await service.place(ticket.id, user_id=new_id())
    await service.follow_payment(make_payment(first))
    assert (await orders.get(first.id)).status is OrderStatus.CANCELLED
    assert (await orders.get(second.id)).status is OrderStatus.CREATED


async def test_a_declined_attempt_leaves_the_hold_for_another_card(
    service: OrderService, orders: OrderRepository, make_ticket: MakeTicket, make_payment: MakePayment
) -> None:
    order = await place(service, make_ticket())
    await service.follow_payment(make_payment(order, status=PaymentStatus.FAILED))
    assert (await orders.get(order.id)).status is OrderStatus.CREATED
    await service.follow_payment(make_payment(order))
    assert (await orders.get(order.id)).status is OrderStatus.COMPLETE


async def test_a_refused_capture_ends_the_order_and_frees_the_ticket(
    service: OrderService, orders: OrderRepository, make_ticket: MakeTicket, make_payment: MakePayment
) -> None:
    ticket = make_ticket()
    order = await place(service, ticket)
    payment = make_payment(order)
    await service.follow_payment(payment)
    refused = payment.model_copy(update={"version": 3, "status": PaymentStatus.FAILED})
    for _ in range(2):
        await service.follow_payment(refused)
    await service.follow_payment(payment)  # the authorisation once more, late
    ended = await orders.get(order.id)
    assert (ended.status, ended.reason) == (OrderStatus.CANCELLED, OrderReason.PAYMENT_FAILED)
    assert await published(orders, order) == ["order.created", "order.completed", "order.cancelled"]
    await service.place(ticket.id, user_id=new_id())


async def test_an_authorisation_that_arrives_after_its_own_failure_is_ignored(
    service: OrderService, orders: OrderRepository, make_ticket: MakeTicket, make_payment: MakePayment
) -> None:
    order = await place(service, make_ticket())
    payment = make_payment(order)
    await service.follow_payment(payment.model_copy(update={"version": 3, "status": PaymentStatus.FAILED}))
    await service.follow_payment(payment)
    assert (await orders.get(order.id)).status is OrderStatus.CREATED


async def test_another_payments_failure_does_not_end_a_paid_order(
    service: OrderService, orders: OrderRepository, make_ticket: MakeTicket, make_payment: MakePayment
) -> None:
    order = await place(service, make_ticket())
    await service.follow_payment(make_payment(order))
    await service.follow_payment(make_payment(order, status=PaymentStatus.FAILED))
    assert (await orders.get(order.id)).status is OrderStatus.COMPLETE


async def test_events_about_an_order_that_never_existed_are_permanent_errors(
    service: OrderService, make_order: MakeOrder, make_payment: MakePayment
) -> None:
    stranger = make_order()
    with pytest.raises(PermanentError):
        await service.follow_payment(make_payment(stranger))
    with pytest.raises(PermanentError):
        await service.expire(stranger.id, deadline=stranger.expires_at)
    assert issubclass(OrderNotFoundError, NotFoundError)
