import asyncio
import base64
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from secrets import token_hex
from typing import Any, Final

import httpx
import jwt
import pytest
import pytest_asyncio
from fastapi import FastAPI

from ticketing_common.entity import new_id
from ticketing_common.events import OrderCancelled, OrderCreated, OrderReason, TicketCreated, TicketStatus
from ticketing_common.storage import Outbox, connect
from ticketing_common.testing.apps import Bus, Identity, run_app, service_settings_for
from ticketing_common.testing.servers import NatsServer
from ticketing_orders.app import create_app
from ticketing_orders.repository import OrderRepository
from ticketing_orders.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDERS: Final = "/api/orders"
BUYERS: Final = 50


class Orders:
    """The running service, and how a test talks to it."""

    def __init__(self, app: FastAPI, client: httpx.AsyncClient, identity: Identity, bus: Bus) -> None:
        self.service = app.state.service
        self.repository = OrderRepository(Outbox(app.state.backbone.collection("orders")))
        self.client = client
        self.identity = identity
        self.bus = bus

    async def call(self, method: str, path: str = "", *, user_id: str | None, **request: Any) -> httpx.Response:
        """Call as this user; nobody when None."""
        headers = self.identity.headers(user_id=user_id) if user_id else {}
        return await self.client.request(
            method, ORDERS + path, headers={**headers, **request.pop("headers", {})}, **request
        )

    async def hold(self, ticket_id: str, *, user_id: str) -> httpx.Response:
        return await self.call("POST", user_id=user_id, json={"ticketId": ticket_id})

    async def count(self) -> int:
        total: int = await self.repository.collection.count_documents({})
        return total


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def api(mongo_url: str, identity: Identity, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Orders]:
    """One running service for all the tests here: starting and stopping it takes longer than any of them."""
    database = f"test_{token_hex(6)}"
    nats_server = NatsServer(tmp_path_factory.mktemp("nats"))
    try:
        nats_server.start()
        settings = service_settings_for(
            mongo_url=mongo_url, database=database, nats_url=nats_server.url, identity=identity
        )
        app = create_app(Settings.model_validate(settings | {"rate_limit_holds": "10/minute"}))
        async with Bus.connect(nats_server.url) as bus, run_app(app) as client:
            yield Orders(app, client, identity, bus)
    finally:
        nats_server.stop()
        mongo = connect(mongo_url, application="orders-tests")
        await mongo.drop_database(database)
        mongo.close()


@pytest_asyncio.fixture(loop_scope="module")
async def ticket(api, make_ticket):
    """A ticket that the service knows of."""
    listed = make_ticket()
    await api.service.follow_ticket(listed)
    return listed


def assert_problem(answer: httpx.Response, status: int, field: str | None = None) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["errors"]
    if field:
        assert [error.get("field") for error in problem["errors"]] == [field]


# --- holding a ticket -----------------------------------------------------------------------------------------------


async def test_a_buyer_holds_a_ticket_and_everybody_is_told(api, ticket):
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
        "ticket": {"id": ticket.id, "title": ticket.title, "price": 25.5, "currency": "usd"},
    }
    told = await api.bus.expect(OrderCreated, lambda event: event.data.id == order["id"])
    assert (told.data.version, told.data.user_id, told.data.ticket.price_cents) == (1, buyer, 2_550)
    assert told.data.expires_at == datetime.fromisoformat(order["expiresAt"])


async def test_an_order_may_come_before_the_event_of_its_ticket(api, make_ticket):
    listed = make_ticket()
    answer, _ = await asyncio.gather(api.hold(listed.id, user_id=new_id()), api.bus.publish(TicketCreated.of(listed)))
    assert answer.status_code == 201


async def test_a_held_ticket_is_refused_to_the_next_buyer(api, ticket):
    assert (await api.hold(ticket.id, user_id=new_id())).status_code == 201
    assert_problem(await api.hold(ticket.id, user_id=new_id()), 409)


async def test_the_holder_cannot_hold_the_same_ticket_twice(api, ticket):
    buyer = new_id()
    assert (await api.hold(ticket.id, user_id=buyer)).status_code == 201
    assert_problem(await api.hold(ticket.id, user_id=buyer), 409)


async def test_sellers_cannot_hold_their_own_ticket(api, ticket):
    before = await api.count()
    assert_problem(await api.hold(ticket.id, user_id=ticket.user_id), 403)
    assert await api.count() == before


@pytest.mark.parametrize("ticket_id", ["f" * 24, "abc", "", "x" * 10_000, "../../etc", "F" * 24, "a" * 23 + "\u0000"])
async def test_unknown_and_malformed_tickets_are_not_found(api, ticket_id):
    before = await api.count()
    assert_problem(await api.hold(ticket_id, user_id=new_id()), 404)
    assert await api.count() == before


async def test_a_deleted_ticket_is_not_found(api, ticket):
    await api.service.follow_ticket(ticket.model_copy(update={"version": 2, "status": TicketStatus.DELETED}))
    assert_problem(await api.hold(ticket.id, user_id=new_id()), 404)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "ticketId"),
        ({"ticketId": None}, "ticketId"),
        ({"ticketId": 5}, "ticketId"),
        ({"ticketId": {"$ne": None}}, "ticketId"),
        ({"ticketId": ["a" * 24]}, "ticketId"),
        ({"ticketId": "a" * 24, "price": 0.01}, "price"),
        ({"ticketId": "a" * 24, "status": "complete"}, "status"),
        ({"ticket_id": "a" * 24, "ticketId": "a" * 24}, "ticket_id"),
        ([], None),
        ("text", None),
        (None, None),
    ],
)
async def test_a_wrong_body_is_refused_with_the_field_named(api, body, field):
    before = await api.count()
    assert_problem(await api.call("POST", user_id=new_id(), json=body), 422, field)
    assert await api.count() == before


@pytest.mark.parametrize("content", [b"", b"{", b'{"ticketId": }', b"\xff\xfe", b'{"ticketId": NaN}'])
async def test_what_is_not_json_is_refused(api, content):
    json_type = {"content-type": "application/json"}
    assert_problem(await api.call("POST", user_id=new_id(), content=content, headers=json_type), 422)


async def test_a_form_is_not_json(api, ticket):
    assert_problem(await api.call("POST", user_id=new_id(), data={"ticketId": ticket.id}), 422)


async def test_a_huge_body_is_not_read(api):
    body = {"ticketId": "a" * 70_000}
    assert_problem(await api.call("POST", user_id=new_id(), json=body), 413)


async def test_too_many_tries_are_slowed_down(api, ticket):
    buyer = new_id()
    answers = [await api.hold(ticket.id, user_id=buyer) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [201] + [409] * 9 + [429]
    assert_problem(answers[-1], 429)
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert (await api.hold(ticket.id, user_id=new_id())).status_code == 409


# --- who is asking --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"), [("POST", ""), ("GET", ""), ("GET", "/" + "a" * 24), ("DELETE", "/" + "a" * 24)]
)
async def test_nobody_is_asked_to_sign_in(api, method, path):
    body = {"json": {"ticketId": "a" * 24}} if method == "POST" else {}
    answer = await api.call(method, path, user_id=None, **body)
    assert_problem(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


def _forged(identity: Identity) -> dict[str, str]:
    claims = jwt.decode(identity.token(), options={"verify_signature": False})
    return {
        "expired": identity.token(exp=1),
        "signed by another": Identity().token(),
        "alg none": jwt.encode(claims, None, algorithm="none"),
        "alg HS256 with the public key": _hs256(claims, identity.public_key_pem),
        "for another audience": identity.token(aud="elsewhere"),
        "without expiry": identity.token(exp=None),
        "no token": "x.y.z",
    }


def _hs256(claims: dict[str, Any], secret: str) -> str:
    """Key confusion, made by hand since the library refuses to help."""

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    signed = f"{part(json.dumps({'alg': 'HS256', 'typ': 'JWT'}).encode())}.{part(json.dumps(claims).encode())}"
    return f"{signed}.{part(hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest())}"


async def test_a_bad_token_is_nobody(api, ticket):
    before = await api.count()
    for kind, token in _forged(api.identity).items():
        answer = await api.client.post(
            ORDERS, json={"ticketId": ticket.id}, headers={"Authorization": f"Bearer {token}"}
        )
        assert answer.status_code == 401, kind
    assert await api.count() == before


async def test_a_cookie_from_a_strange_page_may_not_write(api, ticket):
    cookie = {"cookie": f"session={api.identity.token()}"}
    strange = await api.client.post(
        ORDERS, json={"ticketId": ticket.id}, headers={**cookie, "origin": "https://evil.example"}
    )
    assert_problem(strange, 403)
    own = await api.client.post(ORDERS, json={"ticketId": ticket.id}, headers={**cookie, "origin": "http://testserver"})
    assert own.status_code == 201


# --- looking up and letting go --------------------------------------------------------------------------------------


async def test_a_buyer_sees_the_own_order(api, ticket):
    buyer = new_id()
    order = (await api.hold(ticket.id, user_id=buyer)).json()
    answer = await api.call("GET", f"/{order['id']}", user_id=buyer)
    assert (answer.status_code, answer.json()) == (200, order)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_somebody_elses_order_is_forbidden(api, ticket, method):
    buyer = new_id()
    order = (await api.hold(ticket.id, user_id=buyer)).json()
    assert_problem(await api.call(method, f"/{order['id']}", user_id=new_id()), 403)
    assert (await api.call("GET", f"/{order['id']}", user_id=buyer)).json() == order


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("order_id", ["f" * 24, "abc", "F" * 24, "a" * 500, "%24ne"])
async def test_unknown_and_malformed_orders_are_not_found(api, method, order_id):
    assert_problem(await api.call(method, f"/{order_id}", user_id=new_id()), 404)


async def test_a_cancelled_order_frees_the_ticket_and_everybody_is_told(api, ticket):
    buyer = new_id()
    order = (await api.hold(ticket.id, user_id=buyer)).json()
    for _ in range(2):
        answer = await api.call("DELETE", f"/{order['id']}", user_id=buyer)
        assert (answer.status_code, answer.content) == (204, b"")
    shown = (await api.call("GET", f"/{order['id']}", user_id=buyer)).json()
    assert (shown["status"], shown["reason"], shown["version"]) == ("cancelled", "buyer", 2)
    told = await api.bus.expect(OrderCancelled, lambda event: event.data.id == order["id"])
    assert (told.data.version, told.data.reason) == (2, OrderReason.BUYER)
    assert (await api.hold(ticket.id, user_id=new_id())).status_code == 201


async def test_a_paid_order_cannot_be_cancelled(api, ticket, make_payment):
    buyer = new_id()
    order_id = (await api.hold(ticket.id, user_id=buyer)).json()["id"]
    await api.service.follow_payment(make_payment(await api.repository.get(order_id)))
    assert_problem(await api.call("DELETE", f"/{order_id}", user_id=buyer), 409)
    shown = (await api.call("GET", f"/{order_id}", user_id=buyer)).json()
    assert (shown["status"], shown["version"]) == ("complete", 2)
    assert_problem(await api.hold(ticket.id, user_id=new_id()), 409)


@pytest.mark.parametrize("method", ["PATCH", "PUT", "POST"])
async def test_no_client_may_set_the_status(api, ticket, method):
    buyer = new_id()
    order = (await api.hold(ticket.id, user_id=buyer)).json()
    assert_problem(await api.call(method, f"/{order['id']}", user_id=buyer, json={"status": "complete"}), 405)
    assert (await api.call("GET", f"/{order['id']}", user_id=buyer)).json() == order


# --- one's own orders, page by page ---------------------------------------------------------------------------------


async def _holds(api, make_ticket, buyer: str, count: int) -> list[str]:
    ids = []
    for _ in range(count):
        listed = make_ticket()
        await api.service.follow_ticket(listed)
        ids.append((await api.hold(listed.id, user_id=buyer)).json()["id"])
    return ids


def _next(answer: httpx.Response) -> str | None:
    """The path-absolute URL of the next page."""
    link = answer.headers.get("link")
    if link is None:
        return None
    url, _, relation = link.partition(">; ")
    assert relation == 'rel="next"'
    assert url.startswith(f"<{ORDERS}?")
    return url[1:]


async def test_a_walk_through_ones_orders_meets_each_once_newest_first(api, make_ticket):
    buyer = new_id()
    placed = await _holds(api, make_ticket, buyer, 5)
    await _holds(api, make_ticket, new_id(), 1)
    walked, url = [], f"{ORDERS}?limit=2"
    while url:
        answer = await api.client.get(url, headers=api.identity.headers(user_id=buyer))
        assert answer.status_code == 200
        if len(walked) == 2:  # a newer one in the middle of the walk moves nothing
            await _holds(api, make_ticket, buyer, 1)
        walked += [order["id"] for order in answer.json()]
        url = _next(answer)
    assert sorted(walked) == sorted(placed)
    newest = await api.call("GET", user_id=buyer)
    times = [order["createdAt"] for order in newest.json()]
    assert len(times) == 6
    assert times == sorted(times, reverse=True)


async def test_a_list_that_fits_has_no_next_page(api, make_ticket):
    buyer = new_id()
    assert (await api.call("GET", user_id=buyer)).json() == []
    await _holds(api, make_ticket, buyer, 2)
    answer = await api.call("GET", "?limit=2", user_id=buyer)
    assert len(answer.json()) == 2
    assert _next(answer) is None


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "limit=-1", "cursor=nonsense", "cursor=%00", "cursor=e30"]
)
async def test_wrong_paging_is_refused(api, query):
    assert_problem(await api.call("GET", f"?{query}", user_id=new_id()), 422)


@pytest.mark.parametrize("keys", [["x", "y"], [1, 2], [], [None, None], ["2026-01-01T00:00:00+00:00", "a"], ["a"] * 3])
async def test_a_forged_cursor_is_refused(api, make_ticket, keys):
    buyer = new_id()
    await _holds(api, make_ticket, buyer, 2)
    url = httpx.URL(_next(await api.call("GET", "?limit=1", user_id=buyer)) or "")
    cursor = url.params["cursor"]
    fingerprint = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))[0]
    forged = base64.urlsafe_b64encode(json.dumps([fingerprint, *keys]).encode()).rstrip(b"=").decode()
    answer = await api.call("GET", user_id=buyer, params={"limit": 1, "cursor": forged})
    if keys:
        assert_problem(answer, 422, "cursor")
    else:  # "from the start" is a page like any other
        assert answer.status_code == 200


# --- fifty at once --------------------------------------------------------------------------------------------------


async def _rush(api: Orders, ticket_id: str) -> Counter[int]:
    """Fifty buyers ask for the same ticket at the same time; how often each status came."""
    buyers = [new_id() for _ in range(BUYERS)]
    answers = await asyncio.gather(*(api.hold(ticket_id, user_id=buyer) for buyer in buyers))
    return Counter(answer.status_code for answer in answers)


async def test_of_fifty_buyers_at_once_exactly_one_holds_the_ticket(api, ticket):
    assert await _rush(api, ticket.id) == {201: 1, 409: BUYERS - 1}
    assert await api.repository.collection.count_documents({"ticket.id": ticket.id}) == 1


async def test_without_the_index_the_ticket_would_be_oversold(api, ticket):
    """The negative control: it is the index that decides, and nothing else."""
    await api.repository.collection.drop_index("one_active_order_per_ticket")
    try:
        assert (await _rush(api, ticket.id))[201] > 1
    finally:
        await api.repository.collection.delete_many({"ticket.id": ticket.id})
        await api.repository.ensure_indexes()


# --- around the routes ----------------------------------------------------------------------------------------------


async def test_the_openapi_document_lists_the_routes(api):
    document = (await api.client.get(f"{ORDERS}/openapi.json")).json()
    operations = {
        (method, path): operation["operationId"]
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert operations == {
        ("post", "/api/orders"): "create_order",
        ("get", "/api/orders"): "list_orders",
        ("get", "/api/orders/{id}"): "show_order",
        ("delete", "/api/orders/{id}"): "cancel_order",
    }


async def test_the_service_is_alive_and_ready(api):
    assert (await api.client.get("/healthz")).status_code == 200
    assert (await api.client.get("/readyz")).json() == {"status": "ready"}
