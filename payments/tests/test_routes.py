import asyncio
from secrets import token_hex
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio

from ticketing_common.entity import new_id
from ticketing_common.events import (
    OrderCreated,
    OrderData,
    OrderReason,
    OrderStatus,
    PaymentAuthorized,
    PaymentFailed,
)
from ticketing_common.storage import connect
from ticketing_payments.app import create_app
from ticketing_payments.settings import Settings
from ticketing_testkit.apps import Bus, run_app, service_settings_for
from ticketing_testkit.servers import NatsServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAYMENTS: Final = "/api/payments"
GOOD, BAD, THREE_D_SECURE = "pm_card_visa", "pm_card_chargeCustomerFail", "4000002500003155"


class Payments:
    """The running service and its test client."""

    def __init__(self, app, client, identity, bus, bank) -> None:
        self.service = app.state.service
        self.collection = app.state.runtime.collection("payments")
        self.client, self.identity, self.bus, self.bank = client, identity, bus, bank

    async def call(self, method: str, path: str = "", *, user_id: str | None, **request: Any) -> httpx.Response:
        """Call as this user, or without a token if `user_id` is None."""
        headers = self.identity.headers(user_id=user_id) if user_id else {}
        headers |= request.pop("headers", {})
        return await self.client.request(method, PAYMENTS + path, headers=headers, **request)

    async def pay(self, order: OrderData, method: str | None = GOOD, *, user_id: str | None = None, **request: Any):
        body = {"orderId": order.id} | ({"paymentMethodId": method} if method else {})
        return await self.call("POST", user_id=user_id or order.user_id, json=body, **request)

    async def count(self) -> int:
        total: int = await self.collection.count_documents({})
        return total


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def api(mongo_url, stripe_double, stripe_key, webhook_secret, identity, tmp_path_factory):
    """One running service for all tests here, with the Stripe double itself, as `make up` runs it."""
    database = f"test_{token_hex(6)}"
    nats_server = NatsServer(tmp_path_factory.mktemp("nats"))
    try:
        nats_server.start()
        fields = service_settings_for(
            mongo_url=mongo_url, database=database, nats_url=nats_server.url, identity=identity
        )
        settings = Settings.model_validate(
            fields
            | {
                "stripe_key": stripe_key,
                "stripe_webhook_secret": webhook_secret,
                "stripe_api_base": stripe_double.url,
                "stripe_parameter_profile": "localstripe",
            }
        )
        app = create_app(settings)
        headers = {"Authorization": f"Bearer {stripe_key}"}
        async with (
            httpx.AsyncClient(base_url=stripe_double.url, headers=headers) as bank,
            Bus.connect(nats_server.url) as bus,
            run_app(app) as client,
        ):
            yield Payments(app, client, identity, bus, bank)
    finally:
        nats_server.stop()
        mongo = connect(mongo_url, application="payments-tests")
        await mongo.drop_database(database)
        mongo.close()


@pytest_asyncio.fixture(loop_scope="module")
async def order(api, make_order):
    """An order that is in the service's projection."""
    order = make_order()
    await api.service.follow_order(order)
    return order


async def card(api, number: str = THREE_D_SECURE) -> str:
    body = {"type": "card", "card": {"number": number, "exp_month": 12, "exp_year": 2040, "cvc": "123"}}
    return str((await api.bank.post("/v1/payment_methods", json=body)).json()["id"])


async def test_an_order_is_paid(api, order):
    answer = await api.pay(order)
    assert answer.status_code == 201
    payment = answer.json()
    assert payment == {
        "id": payment["id"],
        "orderId": order.id,
        "status": "authorized",
        "amount": 25.5,
        "currency": "usd",
        "refundedAmount": 0.0,
        "disputed": False,
        "clientSecret": None,
    }
    event = await api.bus.expect(PaymentAuthorized, lambda event: event.data.order_id == order.id)
    assert (event.data.id, event.data.amount_cents, event.data.user_id) == (payment["id"], 2_550, order.user_id)
    shown = await api.call("GET", f"/{payment['id']}", user_id=order.user_id)
    assert (shown.status_code, shown.json()) == (200, payment)


async def test_a_payment_may_arrive_before_its_order(api, make_order):
    order = make_order()
    paying = asyncio.create_task(api.pay(order))
    await api.bus.publish(OrderCreated.of(order))
    assert (await paying).status_code == 201


async def test_a_declined_card_is_a_402_and_the_next_card_is_taken(api, order):
    declined = await api.pay(order, BAD)
    assert declined.status_code == 402
    assert declined.headers["content-type"] == "application/problem+json"
    assert declined.json()["errors"] == [{"message": "Your card was declined."}]
    await api.bus.expect(PaymentFailed, lambda event: event.data.order_id == order.id)
    assert (await api.pay(order, GOOD)).status_code == 201


async def test_paying_twice_is_a_409(api, order):
    assert (await api.pay(order)).status_code == 201
    assert (await api.pay(order)).status_code == 409
    complete = order.model_copy(update={"version": 2, "status": OrderStatus.COMPLETE})
    await api.service.follow_order(complete)
    assert (await api.pay(order)).status_code == 409


async def test_a_cancelled_order_is_a_409(api, order):
    cancelled = order.model_copy(update={"version": 2, "status": OrderStatus.CANCELLED, "reason": OrderReason.BUYER})
    await api.service.follow_order(cancelled)
    before = await api.count()
    assert (await api.pay(order)).status_code == 409
    assert await api.count() == before


async def test_an_expired_hold_is_a_409(api, make_order):
    order = make_order(window_seconds=-1)
    await api.service.follow_order(order)
    assert (await api.pay(order)).status_code == 409


async def test_another_buyers_order_is_a_403(api, order):
    before = await api.count()
    assert (await api.pay(order, user_id=new_id())).status_code == 403
    assert await api.count() == before


@pytest.mark.parametrize("order_id", ["65f0c0ffee0123456789abcd", "abc", "", "x" * 24, "../orders"])
async def test_an_unknown_or_malformed_order_is_a_404(api, order_id):
    body = {"orderId": order_id, "paymentMethodId": GOOD}
    assert (await api.call("POST", user_id=new_id(), json=body)).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "orderId"),
        ({"orderId": 1}, "orderId"),
        ({"orderId": None}, "orderId"),
        ({"orderId": "1", "paymentMethodId": 5}, "paymentMethodId"),
        ({"orderId": "1", "paymentMethodId": ""}, "paymentMethodId"),
        ({"orderId": "1", "paymentMethodId": "pm_1/../../x"}, "paymentMethodId"),
        ({"orderId": "1", "paymentMethodId": "p" * 256}, "paymentMethodId"),
        ({"orderId": "1", "amount": 1}, "amount"),
        ({"orderId": "1", "status": "captured"}, "status"),
    ],
)
async def test_wrong_input_is_a_422_that_names_the_field(api, body, field):
    answer = await api.call("POST", user_id=new_id(), json=body)
    assert answer.status_code == 422
    assert field in [error.get("field") for error in answer.json()["errors"]]


async def test_a_body_that_is_not_json_is_refused(api):
    for content in (b"{", b"", b"[]", b"null", b'"text"', b"\xff"):
        headers = {"Content-Type": "application/json"}
        answer = await api.call("POST", user_id=new_id(), content=content, headers=headers)
        assert answer.status_code in (400, 422), content
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await api.call("POST", user_id=new_id(), content=b"orderId=1")).status_code in (415, 422)


async def test_an_unknown_payment_method_is_a_422(api, order):
    answer = await api.pay(order, "pm_nobody_knows")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "paymentMethodId"
    assert (await api.pay(order)).status_code == 201


@pytest.mark.parametrize("size", [65 * 1024, 300 * 1024])
async def test_a_body_over_64_kib_is_a_413(api, order, size):
    answer = await api.call("POST", user_id=order.user_id, json={"orderId": order.id, "note": "x" * size})
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


async def test_without_signing_in_every_call_is_a_401(api, order):
    payment_id = (await api.pay(order)).json()["id"]
    forged = f"{api.identity.token(order.user_id)[:-4]}AAAA"
    expired = api.identity.token(order.user_id, exp=1)
    for token in (None, forged, expired, "x.y.z"):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        for method, path in (("POST", ""), ("GET", f"/{payment_id}"), ("POST", f"/{payment_id}/refresh")):
            answer = await api.call(method, path, user_id=None, headers=headers, json={"orderId": order.id})
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_payment_is_shown_to_its_buyer_only(api, order):
    payment_id = (await api.pay(order, await card(api))).json()["id"]
    for method, path in (("GET", f"/{payment_id}"), ("POST", f"/{payment_id}/refresh")):
        answer = await api.call(method, path, user_id=new_id())
        assert answer.status_code == 403
        assert "secret" not in answer.text
    for unknown in (new_id(), "abc"):
        assert (await api.call("GET", f"/{unknown}", user_id=order.user_id)).status_code == 404
        assert (await api.call("POST", f"/{unknown}/refresh", user_id=order.user_id)).status_code == 404


async def test_3d_secure_waits_for_the_browser_and_continues(api, order):
    waiting = (await api.pay(order, await card(api))).json()
    assert waiting["status"] == "requires_action"
    stripe_id, _, _ = waiting["clientSecret"].partition("_secret_")
    body = {"client_secret": waiting["clientSecret"]}
    await api.bank.post(f"/v1/payment_intents/{stripe_id}/_authenticate?success=true", json=body)
    answer = await api.call("POST", f"/{waiting['id']}/refresh", user_id=order.user_id, json={})
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["clientSecret"]) == ("authorized", None)


async def test_without_a_card_the_browser_gets_the_secret_to_enter_one(api, order):
    answer = await api.pay(order, None)
    assert answer.status_code == 201
    assert answer.json()["status"] == "requires_action"
    assert answer.json()["clientSecret"]


async def test_two_concurrent_requests_make_one_payment(api, order):
    answers = await asyncio.gather(*(api.pay(order) for _ in range(5)))
    created = [answer.json()["id"] for answer in answers if answer.status_code == 201]
    assert created
    assert len(set(created)) == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    listed = (await api.bank.get("/v1/payment_intents?limit=10000")).json()["data"]
    assert len([intent for intent in listed if intent["metadata"].get("order_id") == order.id]) == 1


async def test_the_same_idempotency_key_returns_the_same_response(api, order):
    headers = {"Idempotency-Key": token_hex(8)}
    first, second = [await api.pay(order, headers=dict(headers)) for _ in range(2)]
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()


async def test_a_webhook_is_stored_once_and_applied_afterwards(api, order, sign):
    waiting = (await api.pay(order, await card(api))).json()
    stripe_id, _, _ = waiting["clientSecret"].partition("_secret_")
    body = {"client_secret": waiting["clientSecret"]}
    await api.bank.post(f"/v1/payment_intents/{stripe_id}/_authenticate?success=true", json=body)
    content, signature = sign(waiting["id"])
    for _ in range(2):
        answer = await api.call(
            "POST", "/webhook", user_id=None, content=content, headers={"Stripe-Signature": signature}
        )
        assert (answer.status_code, answer.json()) == (200, {"received": True})
    await api.bus.expect(PaymentAuthorized, lambda event: event.data.id == waiting["id"])


async def test_a_webhook_that_stripe_did_not_sign_is_a_400_and_changes_nothing(api, order, sign):
    content, signature = sign("payment", secret="whsec_of_somebody_else")
    for headers in ({}, {"Stripe-Signature": signature}, {"Stripe-Signature": "t=1"}):
        answer = await api.call("POST", "/webhook", user_id=None, content=content, headers=headers)
        assert answer.status_code == 400
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_large_webhook_is_read_and_a_huge_one_is_not(api):
    for size, status in ((200 * 1024, 400), (300 * 1024, 413)):
        answer = await api.call("POST", "/webhook", user_id=None, content=b"x" * size)
        assert answer.status_code == status


async def test_the_description_of_the_api_names_every_route(api):
    paths = (await api.client.get(f"{PAYMENTS}/openapi.json")).json()["paths"]
    assert {(path, method) for path, methods in paths.items() for method in methods} == {
        (PAYMENTS, "post"),
        (f"{PAYMENTS}/{{id}}", "get"),
        (f"{PAYMENTS}/{{id}}/refresh", "post"),
        (f"{PAYMENTS}/webhook", "post"),
    }
