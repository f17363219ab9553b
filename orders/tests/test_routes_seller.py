"""The routes for the seller of a listing: its paid orders, and a refund."""

from typing import Any

import pytest

from ticketing_common.entity import new_id
from ticketing_common.events import (
    OrderCancelled,
    OrderReason,
    PaymentStatus,
    TicketCancelled,
    TicketData,
    TicketStatus,
)

from .conftest import MakePayment, RunningOrders

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def paid(api: RunningOrders, ticket: TicketData, make_payment: MakePayment) -> Any:
    """A paid order, as its buyer sees it."""
    buyer = new_id()
    answer = await api.hold(ticket.id, user_id=buyer)
    assert answer.status_code == 201
    await api.service.follow_payment(make_payment(await api.repository.get(answer.json()["id"])))
    return (await api.call("GET", f"/{answer.json()['id']}", user_id=buyer)).json()


async def test_the_seller_refunds_an_order_and_a_repetition_gets_the_same_answer(
    api: RunningOrders, ticket: TicketData, make_payment: MakePayment
) -> None:
    order = await paid(api, ticket, make_payment)
    path = f"/{order['id']}/refund"
    api.assert_problem(await api.call("POST", path, user_id=None), 401)
    api.assert_problem(await api.call("POST", path, user_id=order["userId"]), 403)
    api.assert_problem(await api.call("POST", path, user_id=new_id()), 403)
    api.assert_problem(await api.call("POST", f"/{new_id()}/refund", user_id=ticket.user_id), 404)
    api.assert_problem(await api.call("POST", "/x/refund", user_id=ticket.user_id), 404)
    for body in ({"amount": 1}, {"amount": -5}):  # a part refund is not possible
        api.assert_problem(await api.call("POST", path, user_id=ticket.user_id, json=body), 422, "amount")
    assert (await api.call("GET", f"/{order['id']}", user_id=order["userId"])).json() == order
    first = await api.call("POST", path, user_id=ticket.user_id)
    assert first.status_code == 202
    assert (first.json()["status"], first.json()["reason"]) == ("cancelled", "refunded")
    for headers in ({}, {"Idempotency-Key": "again"}, {"Idempotency-Key": "again"}):
        again = await api.call("POST", path, user_id=ticket.user_id, headers=headers)
        assert (again.status_code, again.json()) == (202, first.json())
        again = await api.call("POST", path, user_id=ticket.user_id, json={})
        assert (again.status_code, again.json()) == (202, first.json())
    event = await api.bus.expect(OrderCancelled, lambda event: event.data.id == order["id"])
    assert event.data.reason is OrderReason.REFUNDED
    assert event.data.payment_id is not None


async def test_an_unpaid_order_is_not_refunded(api: RunningOrders, ticket: TicketData) -> None:
    order = (await api.hold(ticket.id, user_id=new_id())).json()
    api.assert_problem(await api.call("POST", f"/{order['id']}/refund", user_id=ticket.user_id), 409)


async def test_the_sales_of_a_listing_are_its_sellers(
    api: RunningOrders, ticket: TicketData, make_payment: MakePayment
) -> None:
    order = await paid(api, ticket, make_payment)
    path = f"/sales?ticketId={ticket.id}"
    assert (await api.call("GET", path, user_id=ticket.user_id)).json() == [order]
    api.assert_problem(await api.call("GET", path, user_id=None), 401)
    api.assert_problem(await api.call("GET", path, user_id=order["userId"]), 403)
    for unknown in (new_id(), "x"):
        api.assert_problem(await api.call("GET", f"/sales?ticketId={unknown}", user_id=ticket.user_id), 404)
    api.assert_problem(await api.call("GET", "/sales", user_id=ticket.user_id), 422, "ticketId")
    api.assert_problem(await api.call("GET", f"{path}&status=all", user_id=ticket.user_id), 422, "status")


async def test_a_cancelled_event_ends_its_orders_and_refuses_new_ones(api: RunningOrders, ticket: TicketData) -> None:
    order = (await api.hold(ticket.id, user_id=new_id())).json()
    off = ticket.model_copy(update={"version": 2, "status": TicketStatus.CANCELLED})
    await api.bus.publish(TicketCancelled.of(off))
    event = await api.bus.expect(OrderCancelled, lambda event: event.data.id == order["id"])
    assert event.data.reason is OrderReason.EVENT_CANCELLED
    refused = await api.hold(ticket.id, user_id=new_id())
    api.assert_problem(refused, 409)
    assert refused.json()["title"] == "The event is cancelled"


async def test_a_part_refund_and_a_dispute_are_shown_to_buyer_and_seller(
    api: RunningOrders, ticket: TicketData, make_payment: MakePayment
) -> None:
    order = await paid(api, ticket, make_payment)
    assert (order["refundedAmount"], order["disputed"]) == (0, False)
    payment = await api.service.payment_of(await api.repository.get(order["id"]))
    assert payment is not None
    changes = {"version": payment.version + 1, "refunded_cents": 550, "disputed": True}
    await api.service.follow_payment(payment.model_copy(update={**changes, "status": PaymentStatus.CAPTURED}))
    expected = {**order, "version": order["version"] + 1, "refundedAmount": 5.5, "disputed": True}
    assert (await api.call("GET", f"/{order['id']}", user_id=order["userId"])).json() == expected
    assert (await api.call("GET", "", user_id=order["userId"])).json() == [expected]
    assert (await api.call("GET", f"/sales?ticketId={ticket.id}", user_id=ticket.user_id)).json() == [expected]
