"""Passes and check-ins over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
import pytest_asyncio
from icalendar import Calendar

from ticketing_common.entity import new_id
from ticketing_common.events import OrderStatus, PaymentStatus, TicketData, TicketStatus
from ticketing_common.security import PassKeys
from ticketing_orders.domain import Order
from ticketing_testkit.crashes import dying_before_the_answer

from .conftest import MakePayment, MakeTicket, RunningOrders

pytestmark = pytest.mark.asyncio(loop_scope="module")

STARTS_AT = datetime(2031, 5, 1, 18, 30, tzinfo=UTC)
SEATS = 3


@pytest.fixture
def seats_ticket(make_ticket: MakeTicket) -> TicketData:
    return make_ticket(
        quantity=9, highest_seat=9, starts_at=STARTS_AT, title="Opening night; with, guests", venue="Town Hall"
    )


class Sale:
    """A listing, and the sold order of one buyer for three of its seats."""

    def __init__(self, api: RunningOrders, ticket: TicketData, order: Order, make_payment: MakePayment) -> None:
        self.api = api
        self.ticket = ticket
        self.order = order
        self._make_payment = make_payment

    async def passes(self) -> list[dict[str, Any]]:
        answer = await self.api.call("GET", f"/{self.order.id}/passes", user_id=self.order.user_id)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()
        return found

    async def end(self) -> None:
        payment = self._make_payment(self.order, status=PaymentStatus.FAILED, version=3)
        payment = payment.model_copy(update={"id": self.order.payment_id})
        await self.api.service.follow_payment(payment)

    async def check_in(self, code: str, *, user_id: str | None = None, key: str | None = None) -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        seller = user_id or self.ticket.user_id
        return await self.api.call("POST", "/checkins", user_id=seller, json={"code": code}, headers=headers)

    async def counts(self) -> dict[str, Any]:
        answer = await self.api.call("GET", f"/checkins?ticketId={self.ticket.id}", user_id=self.ticket.user_id)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest_asyncio.fixture(loop_scope="module")
async def sale(api: RunningOrders, seats_ticket: TicketData, make_payment: MakePayment) -> Sale:
    await api.service.follow_ticket(seats_ticket)
    placed = await api.service.place(seats_ticket.id, user_id=new_id(), quantity=SEATS)
    await api.service.follow_payment(make_payment(placed))
    return Sale(api, seats_ticket, await api.repository.get(placed.id), make_payment)


async def test_each_seat_of_a_complete_order_has_a_pass_that_the_public_keys_verify(
    api: RunningOrders, sale: Sale
) -> None:
    passes = await sale.passes()
    assert [one["seat"] for one in passes] == sorted(sale.order.seats)
    assert {one["status"] for one in passes} == {"valid"}
    assert len({one["id"] for one in passes}) == SEATS
    published = await api.client.get("/api/orders/pass-keys")
    assert published.headers["cache-control"] == "public, max-age=300"
    keys = PassKeys.from_jwk_set(published.json())
    for one in passes:
        claims = keys.verify(one["code"])
        assert (claims.pass_id, claims.seat) == (one["id"], one["seat"])
        assert (claims.ticket_id, claims.starts_at) == (sale.ticket.id, STARTS_AT)
    assert await sale.passes() == passes


async def test_only_the_buyer_sees_passes(api: RunningOrders, sale: Sale) -> None:
    first = (await sale.passes())[0]
    for path in ("passes", f"passes/{first['id']}.svg", "event.ics"):
        for user_id, status in ((None, 401), (sale.ticket.user_id, 403)):
            api.assert_problem(await api.call("GET", f"/{sale.order.id}/{path}", user_id=user_id), status)
        api.assert_problem(await api.call("GET", f"/{new_id()}/{path}", user_id=sale.order.user_id), 404)
        api.assert_problem(await api.call("GET", f"/x/{path}", user_id=sale.order.user_id), 404)


async def test_an_unpaid_or_cancelled_hold_has_no_passes(api: RunningOrders, ticket: TicketData) -> None:
    order = await api.service.place(ticket.id, user_id=new_id())
    for _ in range(2):
        for path in ("passes", f"passes/{new_id()}.svg", "event.ics"):
            api.assert_problem(await api.call("GET", f"/{order.id}/{path}", user_id=order.user_id), 409)
        await api.service.cancel(order.id, user_id=order.user_id)


async def test_the_qr_code_of_a_pass_is_an_svg(api: RunningOrders, sale: Sale) -> None:
    first = (await sale.passes())[0]
    answer = await api.call("GET", f"/{sale.order.id}/passes/{first['id']}.svg", user_id=sale.order.user_id)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
    assert ElementTree.fromstring(answer.content).tag.endswith("svg")
    for unknown in (new_id(), "x", f"{first['id']}.svg"):
        path = f"/{sale.order.id}/passes/{unknown}.svg"
        api.assert_problem(await api.call("GET", path, user_id=sale.order.user_id), 404)


async def test_the_calendar_file_names_event_place_and_seats(api: RunningOrders, sale: Sale) -> None:
    answer = await api.call("GET", f"/{sale.order.id}/event.ics", user_id=sale.order.user_id)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
    (event,) = Calendar.from_ical(answer.content).walk("VEVENT")
    assert event.decoded("dtstart") == STARTS_AT
    assert str(event["summary"]) == sale.ticket.title
    assert str(event["location"]) == "Town Hall"
    assert str(event["description"]) == "Seats " + ", ".join(map(str, sorted(sale.order.seats)))


async def test_an_event_without_a_time_has_no_calendar_file(
    api: RunningOrders, ticket: TicketData, make_payment: MakePayment
) -> None:
    order = await api.service.place(ticket.id, user_id=new_id())
    await api.service.follow_payment(make_payment(order))
    api.assert_problem(await api.call("GET", f"/{order.id}/event.ics", user_id=order.user_id), 409)


async def test_a_pass_admits_once_and_a_second_scan_gets_the_time_of_the_first(sale: Sale) -> None:
    first, second, _ = await sale.passes()
    admitted = await sale.check_in(first["code"])
    assert admitted.status_code == 201
    checkin = admitted.json()
    assert checkin == {
        "id": checkin["id"],
        "passId": first["id"],
        "ticketId": sale.ticket.id,
        "seat": first["seat"],
        "checkedInAt": checkin["checkedInAt"],
    }
    refused = await sale.check_in(first["code"])
    sale.api.assert_problem(refused, 409)
    assert (refused.json()["passStatus"], refused.json()["firstAt"]) == ("used", checkin["checkedInAt"])
    assert (refused.json()["passId"], refused.json()["seat"]) == (first["id"], first["seat"])
    assert (await sale.check_in(second["code"])).status_code == 201
    assert [one["status"] for one in await sale.passes()] == ["used", "used", "valid"]
    assert await sale.counts() == {"sold": SEATS, "checkedIn": 2, "void": []}


async def test_a_repeated_request_gets_the_first_answer(sale: Sale) -> None:
    code, key = (await sale.passes())[0]["code"], new_id()
    first = await sale.check_in(code, key=key)
    again = await sale.check_in(code, key=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    sale.api.assert_problem(await sale.check_in(code, key=new_id()), 409)


async def test_a_repeat_after_a_crash_before_the_answer_is_the_first_answer(api: RunningOrders, sale: Sale) -> None:
    code, key = (await sale.passes())[0]["code"], new_id()
    async with dying_before_the_answer(api.app):
        await sale.check_in(code, key=key)
    stored = await api.app.state.runtime.collection("checkins").find_one({"ticket_id": sale.ticket.id})
    await sale.end()
    again = await sale.check_in(code, key=key)
    assert (again.status_code, again.json()["id"]) == (201, stored["_id"]), "although the pass is void by now"


async def test_the_passes_of_an_ended_order_are_void(sale: Sale) -> None:
    used, unused, _ = before = await sale.passes()
    assert (await sale.check_in(used["code"])).status_code == 201
    await sale.end()
    after = await sale.passes()
    assert after == [{**one, "status": "void"} for one in before]
    for one in (used, unused):
        refused = await sale.check_in(one["code"])
        sale.api.assert_problem(refused, 409)
        assert refused.json()["passStatus"] == "void"
        assert "firstAt" not in refused.json()
    path = f"/{sale.order.id}/passes/{unused['id']}.svg"
    sale.api.assert_problem(await sale.api.call("GET", path, user_id=sale.order.user_id), 409)
    assert await sale.counts() == {"sold": 0, "checkedIn": 1, "void": [one["id"] for one in before]}


async def test_no_pass_admits_once_the_event_is_called_off_also_before_its_orders_have_ended(sale: Sale) -> None:
    admitted, second, _ = await sale.passes()
    first = (await sale.check_in(admitted["code"], key="first")).json()
    off = sale.ticket.model_copy(update={"version": 2, "status": TicketStatus.CANCELLED})
    await sale.api.service._tickets.apply(off)
    assert (await sale.api.repository.get(sale.order.id)).status is OrderStatus.COMPLETE
    refused = await sale.check_in(second["code"])
    sale.api.assert_problem(refused, 409)
    assert (refused.json()["passStatus"], refused.json()["passId"]) == ("void", second["id"])
    assert (await sale.check_in(admitted["code"], key="first")).json() == first


async def test_a_seat_that_is_sold_again_has_another_pass(
    api: RunningOrders, make_ticket: MakeTicket, make_payment: MakePayment
) -> None:
    ticket = make_ticket()
    await api.service.follow_ticket(ticket)
    codes = []
    for _ in range(2):
        placed = await api.service.place(ticket.id, user_id=new_id())
        await api.service.follow_payment(make_payment(placed))
        sale = Sale(api, ticket, await api.repository.get(placed.id), make_payment)
        codes.append((await sale.passes())[0]["code"])
        if len(codes) == 1:
            await sale.end()
            held = await api.service.place(ticket.id, user_id=new_id())
            assert (await sale.check_in(codes[0])).json()["passStatus"] == "void", "although the seat is held"
            await api.service.cancel(held.id, user_id=held.user_id)
    assert (await sale.check_in(codes[0])).json()["passStatus"] == "void", "although the seat is sold"
    assert (await sale.check_in(codes[1])).status_code == 201


async def test_only_the_seller_of_the_listing_admits_and_counts(api: RunningOrders, sale: Sale) -> None:
    code = (await sale.passes())[0]["code"]
    for user_id in (sale.order.user_id, new_id()):
        api.assert_problem(await sale.check_in(code, user_id=user_id), 403)
        api.assert_problem(await api.call("GET", f"/checkins?ticketId={sale.ticket.id}", user_id=user_id), 403)
    api.assert_problem(await api.call("POST", "/checkins", user_id=None, json={"code": code}), 401)
    api.assert_problem(await api.call("GET", f"/checkins?ticketId={sale.ticket.id}", user_id=None), 401)
    for unknown in (new_id(), "x"):
        api.assert_problem(await api.call("GET", f"/checkins?ticketId={unknown}", user_id=new_id()), 404)
    api.assert_problem(await api.call("GET", "/checkins", user_id=new_id()), 422)
    misspelt = await api.call("GET", f"/checkins?ticketId={sale.ticket.id}&seats=3", user_id=sale.ticket.user_id)
    api.assert_problem(misspelt, 422, "seats")
    assert (await sale.check_in(code)).status_code == 201


async def test_a_repeat_of_seats_sold_under_other_events_is_harmless(sale: Sale) -> None:
    """Passes exist as soon as the order is complete, whatever was published or projected meanwhile."""
    later = sale.ticket.model_copy(update={"version": 2, "price_cents": 1, "quantity": 5})
    before = await sale.passes()
    await sale.api.service.follow_ticket(later)
    assert await sale.passes() == before
    assert (await sale.check_in(before[0]["code"])).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"code": ""},
        {"code": 12},
        {"code": None},
        {"code": "x" * 513},
        {"code": "x"},
        {"code": "a.b.c"},
        {"code": "..", "at": "2031-05-01T18:30:00Z"},
    ],
)
async def test_what_is_no_code_of_a_pass_is_refused(sale: Sale, body: dict[str, object]) -> None:
    refused = await sale.api.call("POST", "/checkins", user_id=sale.ticket.user_id, json=body)
    sale.api.assert_problem(refused, 422)
    assert await sale.counts() == {"sold": SEATS, "checkedIn": 0, "void": []}


async def test_the_time_of_a_check_in_is_that_of_the_server(sale: Sale) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    checkin = (await sale.check_in((await sale.passes())[0]["code"])).json()
    assert before <= datetime.fromisoformat(checkin["checkedInAt"]) <= datetime.now(UTC)
