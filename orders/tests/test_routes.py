import asyncio
import re
from datetime import datetime
from typing import Final

import pytest

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import OrderCancelled, OrderCreated, OrderReason, TicketCreated, TicketData, TicketStatus
from ticketing_testkit.crashes import dying_before_the_answer

from .conftest import MakePayment, MakeTicket, RunningOrders

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDERS: Final = "/api/orders"


# --- holding a ticket -----------------------------------------------------------------------------------------------


async def test_a_buyer_holds_a_ticket_and_the_event_is_published(api: RunningOrders, ticket: TicketData) -> None:
    buyer = new_id()
    answer = await api.hold(ticket.id, user_id=buyer)
    assert answer.status_code == 201
    order = answer.json()
    left = datetime.fromisoformat(order["expiresAt"]) - datetime.fromisoformat(order["createdAt"])
    assert left.total_seconds() == 900
    assert order == {
        "id": order["id"],
        "userId": buyer,
        "status": "created",
        "reason": None,
        "version": 1,
        "expiresAt": order["expiresAt"],
        "createdAt": order["createdAt"],
        "quantity": 1,
        "seats": [1],
        "total": 25.5,
        "refundedAmount": None,
        "disputed": None,
        "ticket": {
            "id": ticket.id,
            "title": ticket.title,
            "venue": None,
            "startsAt": None,
            "price": 25.5,
            "currency": "usd",
        },
    }
    event = await api.bus.expect(OrderCreated, lambda event: event.data.id == order["id"])
    assert (event.data.version, event.data.user_id, event.data.ticket.price_cents) == (1, buyer, 2_550)
    assert event.data.expires_at == datetime.fromisoformat(order["expiresAt"])


async def test_seats_are_held_together_and_a_refusal_names_the_number_of_free_seats(
    api: RunningOrders, make_ticket: MakeTicket
) -> None:
    many = make_ticket(quantity=3, highest_seat=3)
    await api.service.follow_ticket(many)
    body = {"ticketId": many.id, "quantity": 2, "price": 25.5}
    order = (await api.call("POST", user_id=new_id(), json=body)).json()
    assert (order["quantity"], order["total"], order["ticket"]["price"]) == (2, 51.0, 25.5)
    assert len(set(order["seats"]) & {1, 2, 3}) == 2
    refused = await api.call("POST", user_id=new_id(), json=body)
    api.assert_problem(refused, 409)
    assert (refused.json()["title"], refused.json()["available"]) == ("Not enough seats are free", 1)


async def test_a_changed_price_is_a_conflict_that_names_the_current_one(api: RunningOrders, ticket: TicketData) -> None:
    refused = await api.call("POST", user_id=new_id(), json={"ticketId": ticket.id, "price": 19.99})
    api.assert_problem(refused, 409, "price")
    assert (refused.json()["title"], refused.json()["price"]) == ("The price has changed", 25.5)


async def test_an_order_may_come_before_the_event_of_its_ticket(api: RunningOrders, make_ticket: MakeTicket) -> None:
    listed = make_ticket()
    answer, _ = await asyncio.gather(api.hold(listed.id, user_id=new_id()), api.bus.publish(TicketCreated.of(listed)))
    assert answer.status_code == 201


async def test_a_ticket_whose_event_has_begun_cannot_be_held(api: RunningOrders, make_ticket: MakeTicket) -> None:
    begun = make_ticket(starts_at=utc_now())
    await api.service.follow_ticket(begun)
    answer = await api.hold(begun.id, user_id=new_id())
    api.assert_problem(answer, 409)
    assert answer.json()["title"] == "The event has begun"


async def test_a_held_ticket_is_refused_to_the_next_buyer(api: RunningOrders, ticket: TicketData) -> None:
    assert (await api.hold(ticket.id, user_id=new_id())).status_code == 201
    api.assert_problem(await api.hold(ticket.id, user_id=new_id()), 409)


async def test_the_holder_cannot_hold_the_same_ticket_twice(api: RunningOrders, ticket: TicketData) -> None:
    buyer = new_id()
    assert (await api.hold(ticket.id, user_id=buyer)).status_code == 201
    api.assert_problem(await api.hold(ticket.id, user_id=buyer), 409)


async def test_sellers_cannot_hold_their_own_ticket(api: RunningOrders, ticket: TicketData) -> None:
    before = await api.count()
    api.assert_problem(await api.hold(ticket.id, user_id=ticket.user_id), 403)
    assert await api.count() == before


@pytest.mark.parametrize("ticket_id", ["f" * 24, "abc", "", "x" * 10_000, "../../etc", "F" * 24, "a" * 23 + "\u0000"])
async def test_unknown_and_malformed_tickets_are_not_found(api: RunningOrders, ticket_id: str) -> None:
    before = await api.count()
    api.assert_problem(await api.hold(ticket_id, user_id=new_id()), 404)
    assert await api.count() == before


async def test_a_deleted_ticket_is_not_found(api: RunningOrders, ticket: TicketData) -> None:
    await api.service.follow_ticket(ticket.model_copy(update={"version": 2, "status": TicketStatus.DELETED}))
    api.assert_problem(await api.hold(ticket.id, user_id=new_id()), 404)


async def test_too_many_tries_are_slowed_down(api: RunningOrders, ticket: TicketData) -> None:
    buyer = new_id()
    answers = [await api.hold(ticket.id, user_id=buyer) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [201] + [409] * 9 + [429]
    api.assert_problem(answers[-1], 429)
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    left = [re.search(r'"holds";r=(\d+)', answer.headers["ratelimit"]) for answer in answers]
    assert [int(found[1]) for found in left if found] == [*range(9, -1, -1), 0]
    assert (await api.hold(ticket.id, user_id=new_id())).status_code == 409


async def test_a_repeated_request_after_a_crash_gets_the_order_and_is_not_refused_by_it(
    api: RunningOrders, ticket: TicketData
) -> None:
    buyer, headers = new_id(), {"Idempotency-Key": new_id()}
    body = {"ticketId": ticket.id}
    async with dying_before_the_answer(api.app):
        await api.call("POST", user_id=buyer, json=body, headers=headers)
    (placed,) = (await api.call("GET", user_id=buyer)).json()

    again = await api.call("POST", user_id=buyer, json=body, headers=headers)

    assert (again.status_code, again.json()) == (201, placed)
    api.assert_problem(await api.call("POST", user_id=buyer, json=body, headers={"Idempotency-Key": new_id()}), 409)
    api.assert_problem(await api.hold(ticket.id, user_id=new_id()), 409)


async def test_a_repeated_request_gets_an_order_that_has_ended_meanwhile(
    api: RunningOrders, ticket: TicketData
) -> None:
    buyer, headers = new_id(), {"Idempotency-Key": new_id()}
    async with dying_before_the_answer(api.app):
        await api.call("POST", user_id=buyer, json={"ticketId": ticket.id}, headers=headers)
    (placed,) = (await api.call("GET", user_id=buyer)).json()
    await api.call("DELETE", f"/{placed['id']}", user_id=buyer)
    other = await api.hold(ticket.id, user_id=new_id())

    again = await api.call("POST", user_id=buyer, json={"ticketId": ticket.id}, headers=headers)

    assert other.status_code == 201
    assert (again.status_code, again.json()["id"], again.json()["status"]) == (201, placed["id"], "cancelled")


# --- looking up and letting go --------------------------------------------------------------------------------------


async def test_a_buyer_reads_the_own_order(api: RunningOrders, ticket: TicketData) -> None:
    buyer = new_id()
    order = (await api.hold(ticket.id, user_id=buyer)).json()
    answer = await api.call("GET", f"/{order['id']}", user_id=buyer)
    assert (answer.status_code, answer.json()) == (200, order)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_another_users_order_is_forbidden(api: RunningOrders, ticket: TicketData, method: str) -> None:
    buyer = new_id()
    order = (await api.hold(ticket.id, user_id=buyer)).json()
    api.assert_problem(await api.call(method, f"/{order['id']}", user_id=new_id()), 403)
    assert (await api.call("GET", f"/{order['id']}", user_id=buyer)).json() == order


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("order_id", ["f" * 24, "abc", "F" * 24, "a" * 500, "%24ne"])
async def test_unknown_and_malformed_orders_are_not_found(api: RunningOrders, method: str, order_id: str) -> None:
    api.assert_problem(await api.call(method, f"/{order_id}", user_id=new_id()), 404)


async def test_a_cancelled_order_frees_the_ticket_and_the_event_is_published(
    api: RunningOrders, ticket: TicketData
) -> None:
    buyer = new_id()
    order = (await api.hold(ticket.id, user_id=buyer)).json()
    for _ in range(2):
        answer = await api.call("DELETE", f"/{order['id']}", user_id=buyer)
        assert (answer.status_code, answer.content) == (204, b"")
    shown = (await api.call("GET", f"/{order['id']}", user_id=buyer)).json()
    assert (shown["status"], shown["reason"], shown["version"]) == ("cancelled", "buyer", 2)
    event = await api.bus.expect(OrderCancelled, lambda event: event.data.id == order["id"])
    assert (event.data.version, event.data.reason) == (2, OrderReason.BUYER)
    assert (await api.hold(ticket.id, user_id=new_id())).status_code == 201


async def test_a_paid_order_cannot_be_cancelled(
    api: RunningOrders, ticket: TicketData, make_payment: MakePayment
) -> None:
    buyer = new_id()
    order_id = (await api.hold(ticket.id, user_id=buyer)).json()["id"]
    await api.service.follow_payment(make_payment(await api.repository.get(order_id)))
    api.assert_problem(await api.call("DELETE", f"/{order_id}", user_id=buyer), 409)
    shown = (await api.call("GET", f"/{order_id}", user_id=buyer)).json()
    assert (shown["status"], shown["version"]) == ("complete", 2)
    api.assert_problem(await api.hold(ticket.id, user_id=new_id()), 409)


@pytest.mark.parametrize("method", ["PATCH", "PUT", "POST"])
async def test_no_client_may_set_the_status(api: RunningOrders, ticket: TicketData, method: str) -> None:
    buyer = new_id()
    order = (await api.hold(ticket.id, user_id=buyer)).json()
    api.assert_problem(await api.call(method, f"/{order['id']}", user_id=buyer, json={"status": "complete"}), 405)
    assert (await api.call("GET", f"/{order['id']}", user_id=buyer)).json() == order


# --- one's own orders, page by page ---------------------------------------------------------------------------------


# --- around the routes ----------------------------------------------------------------------------------------------


async def test_the_service_is_alive_and_ready(api: RunningOrders) -> None:
    assert (await api.client.get("/healthz")).status_code == 200
    assert (await api.client.get("/readyz")).json() == {"status": "ready"}
