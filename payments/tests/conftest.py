"""What the tests of the payments service share: made-up orders, the service over real servers, and Stripe with faults.

The double knows neither idempotency keys nor failure. `StripeProxy` stands in front of it and behaves as Stripe is
documented to (https://docs.stripe.com/api/idempotent_requests, https://docs.stripe.com/error-low-level).
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from secrets import token_hex
from typing import Any, Self

import aiohttp
import httpx
import pytest
import stripe
from aiohttp import web

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import OrderData, OrderStatus
from ticketing_common.storage import Outbox, connect
from ticketing_common.testing.apps import service_settings_for
from ticketing_payments.repository import OrderProjection, PaymentRepository, StripeEventInbox
from ticketing_payments.service import PaymentService
from ticketing_payments.settings import Settings
from ticketing_payments.stripe_gateway import StripeGateway

THREE_D_SECURE = "4000002500003155"
UNKNOWN_TO_THE_DOUBLE = ("allowed_payment_method_types", "use_stripe_sdk", "cancellation_reason", "reason")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Stripe's library hands httpx the body in the old way (stripe 16.1, httpx 0.28); it still works."""
    item.add_marker(pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"))


@dataclass
class Call:
    """One request that came to Stripe."""

    method: str
    path: str
    key: str | None
    version: str | None
    form: list[tuple[str, str]]


@dataclass
class Fault:
    """What happens to the next `times` calls whose `METHOD /path` matches.

    `lost`: done, and no answer comes. `crashed`: done, answered with 500, and that answer is kept for its key, as
    Stripe does. `away`: not done, 503. `refused`: not done, this `error` with 4xx. `held`: goes on after `release()`.
    """

    kind: str
    pattern: str
    times: int = 1
    error: dict[str, str] = field(default_factory=dict)
    status: int = 400
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        self.released.set()


class StripeProxy:
    """Stripe's idempotency, and faults on demand, in front of the double."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.url = ""
        self.calls: list[Call] = []
        self._faults: list[Fault] = []
        self._kept: dict[str, tuple[object, int, bytes]] = {}
        self._running: set[str] = set()
        self._closing = asyncio.Event()
        self._session: aiohttp.ClientSession

    @classmethod
    @asynccontextmanager
    async def start(cls, target: str) -> AsyncIterator[Self]:
        proxy = cls(target)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", proxy._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        proxy.url = "http://{}:{}".format(*runner.addresses[0])
        proxy._session = aiohttp.ClientSession()
        try:
            yield proxy
        finally:
            proxy._closing.set()
            await runner.cleanup()
            await proxy._session.close()

    def fail(self, kind: str, pattern: str, times: int = 1, **details: Any) -> Fault:
        fault = Fault(kind, pattern, times, **details)
        self._faults.append(fault)
        return fault

    def heal(self) -> None:
        self._faults.clear()

    def made(self, pattern: str) -> list[Call]:
        """The calls whose `METHOD /path` matches."""
        return [call for call in self.calls if re.search(pattern, f"{call.method} {call.path}")]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        form = [(name, str(value)) for name, value in (await request.post()).items()]
        key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
        self.calls.append(Call(request.method, request.path, key, request.headers.get("Stripe-Version"), form))
        fault = self._fault(f"{request.method} {request.path}")
        kind = fault.kind if fault else None
        if fault:
            fault.reached.set()
        if kind == "away":
            return _error(503, {"type": "api_error", "message": "away"})
        if fault and kind == "refused":
            return _error(fault.status, {"type": "invalid_request_error", **fault.error})
        if fault and kind == "held":
            await fault.released.wait()
        replayed = {"Idempotent-Replayed": "true"} if key in self._kept else {}
        status, body = await self._once(request, key, form, crash=kind == "crashed")
        if kind == "lost":
            await self._closing.wait()
        return web.Response(status=status, body=body, headers=replayed, content_type="application/json")

    def _fault(self, call: str) -> Fault | None:
        for fault in self._faults:
            if fault.times > 0 and re.search(fault.pattern, call):
                fault.times -= 1
                return fault
        return None

    async def _once(
        self, request: web.Request, key: str | None, form: list[tuple[str, str]], *, crash: bool
    ) -> tuple[int, bytes]:
        if key is None:
            return await self._forward(request, form)
        fingerprint = (request.path, sorted(form))
        if key in self._kept:
            kept, status, body = self._kept[key]
            if kept != fingerprint:
                return 400, _body({"type": "idempotency_error", "message": "same key, other parameters"})
            return status, body
        if key in self._running:
            return 409, _body({"type": "idempotency_error", "code": "idempotency_key_in_use"})
        self._running.add(key)
        try:
            status, body = await self._forward(request, form)
            if crash:
                status, body = 500, _body({"type": "api_error", "message": "crashed"})
            self._kept[key] = (fingerprint, status, body)
            return status, body
        finally:
            self._running.discard(key)

    async def _forward(self, request: web.Request, form: list[tuple[str, str]]) -> tuple[int, bytes]:
        known = [(name, value) for name, value in form if not name.startswith(UNKNOWN_TO_THE_DOUBLE)]
        headers = {"Authorization": request.headers["Authorization"]}
        address = f"{self.target}{request.path_qs}"
        async with self._session.request(request.method, address, data=known or None, headers=headers) as answer:
            return answer.status, await answer.read()


def _body(error: dict[str, str]) -> bytes:
    return json.dumps({"error": error}).encode()


def _error(status: int, error: dict[str, str]) -> web.Response:
    return web.Response(status=status, body=_body(error), content_type="application/json")


class Bank:
    """What only the buyer and the merchant's own eyes can do at Stripe: cards, 3-D Secure, looking."""

    def __init__(self, url: str, key: str) -> None:
        self._http = httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=10)

    async def close(self) -> None:
        await self._http.aclose()

    async def call(self, method: str, path: str, **body: Any) -> Any:
        answer = await self._http.request(method, path, json=body or None)
        answer.raise_for_status()
        return answer.json()

    async def card(self, number: str = THREE_D_SECURE) -> str:
        card = {"number": number, "exp_month": 12, "exp_year": 2040, "cvc": "123"}
        return str((await self.call("POST", "/v1/payment_methods", type="card", card=card))["id"])

    async def authenticate(self, stripe_id: str, *, success: bool) -> None:
        found = await self.intent(stripe_id)
        path = f"/v1/payment_intents/{stripe_id}/_authenticate?success={success}"
        await self._http.post(path, json={"client_secret": found["client_secret"]})

    async def intent(self, stripe_id: str) -> Any:
        return await self.call("GET", f"/v1/payment_intents/{stripe_id}")

    async def intents_of(self, order_id: str) -> list[Any]:
        listed = await self.call("GET", "/v1/payment_intents?limit=10000")
        return [intent for intent in listed["data"] if intent["metadata"].get("order_id") == order_id]


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stripe's library waits half a second before it repeats a call; nobody learns from that here."""
    monkeypatch.setattr("stripe._http_client.HTTPClient.INITIAL_DELAY", 0.01)
    monkeypatch.setattr("stripe._http_client.HTTPClient.MAX_DELAY", 0.02)


@pytest.fixture(scope="session")
def make_order() -> Callable[..., OrderData]:
    """An order as the orders service would tell of it."""

    def make(**changes: Any) -> OrderData:
        window = changes.pop("window_seconds", 900)
        price_cents = changes.pop("price_cents", 2_550)
        fields: dict[str, Any] = {
            "id": new_id(),
            "version": 1,
            "status": OrderStatus.CREATED,
            "reason": None,
            "user_id": new_id(),
            "expires_at": utc_now() + timedelta(seconds=window),
            "created_at": utc_now(),
            "payment_id": None,
            "ticket": {"id": new_id(), "title": "Opening night", "price_cents": price_cents, "currency": "usd"},
        }
        return OrderData.model_validate(fields | changes)

    return make


@pytest.fixture(scope="session")
def stripe_key() -> str:
    return f"sk_test_{token_hex(12)}"


@pytest.fixture(scope="session")
def webhook_secret() -> str:
    return f"whsec_{token_hex(16)}"


@pytest.fixture
async def proxy(stripe_url: str) -> AsyncIterator[StripeProxy]:
    """Stripe as it is documented, with faults."""
    async with StripeProxy.start(stripe_url) as running:
        yield running


@pytest.fixture
async def bank(stripe_url: str, stripe_key: str) -> AsyncIterator[Bank]:
    bank = Bank(stripe_url, stripe_key)
    yield bank
    await bank.close()


@pytest.fixture
def make_settings(
    mongo_url: str, database_name: str, identity: Any, stripe_key: str, webhook_secret: str
) -> Callable[..., Settings]:
    def make(**changes: Any) -> Settings:
        fields = service_settings_for(
            mongo_url=mongo_url, database=database_name, nats_url="nats://127.0.0.1:1", identity=identity
        )
        stripe_settings = {
            "stripe_key": stripe_key,
            "stripe_webhook_secret": webhook_secret,
            "stripe_timeout_seconds": 0.5,
            "reconcile_seconds": 3_600,
        }
        return Settings.model_validate(fields | stripe_settings | changes)

    return make


@pytest.fixture
async def stores(mongo_url: str, database_name: str) -> AsyncIterator[Any]:
    """The service's collections, with their indexes."""
    client = connect(mongo_url, application="payments-tests")
    database = client[database_name]

    @dataclass
    class Stores:
        payments: PaymentRepository
        orders: OrderProjection
        inbox: StripeEventInbox

    stores = Stores(
        PaymentRepository(Outbox(database["payments"])),
        OrderProjection(database["orders"]),
        StripeEventInbox(database["stripe_events"]),
    )
    for store in (stores.payments, stores.orders, stores.inbox):
        await store.ensure_indexes()
    yield stores
    client.close()


@pytest.fixture
async def service(stores: Any, proxy: StripeProxy, make_settings: Callable[..., Settings]) -> AsyncIterator[Any]:
    """The use cases over a real database and over Stripe with faults."""
    settings = make_settings(stripe_api_base=proxy.url)
    async with StripeGateway.connect(settings) as gateway:
        yield PaymentService(stores.payments, stores.orders, stores.inbox, gateway, settings)


@pytest.fixture
def sign(webhook_secret: str) -> Callable[..., tuple[bytes, str]]:
    """A webhook about a payment, signed as Stripe signs; returns its body and its signature header."""

    def make(payment_id: str | None, *, secret: str = webhook_secret, **changes: Any) -> tuple[bytes, str]:
        event = {
            "id": changes.get("event_id") or f"evt_{token_hex(8)}",
            "type": changes.get("event_type", "payment_intent.succeeded"),
            "data": {"object": {"object": "payment_intent", "id": "pi_1", "metadata": {"payment_id": payment_id}}},
        }
        body = json.dumps(event)
        header = stripe.WebhookSignature.generate_signature_header(body, secret, changes.get("timestamp"))
        return body.encode(), header

    return make
