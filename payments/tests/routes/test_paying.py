import asyncio
from secrets import token_hex

import pytest

from ticketing_common.events import (
    OrderCreated,
    OrderData,
    PaymentAuthorized,
    PaymentFailed,
)

from ..scenario import make_order
from .api import BAD, GOOD, PaymentsApi, card

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_order_is_paid(api: PaymentsApi, order: OrderData) -> None:
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


async def test_a_payment_may_arrive_before_its_order(api: PaymentsApi) -> None:
    order = make_order()
    paying = asyncio.create_task(api.pay(order))
    await api.bus.publish(OrderCreated.of(order))
    assert (await paying).status_code == 201


async def test_a_declined_card_is_a_402_and_the_next_card_is_taken(api: PaymentsApi, order: OrderData) -> None:
    declined = await api.pay(order, BAD)
    assert declined.status_code == 402
    assert declined.headers["content-type"] == "application/problem+json"
    assert declined.json()["errors"] == [{"message": "Your card was declined."}]
    await api.bus.expect(PaymentFailed, lambda event: event.data.order_id == order.id)
    assert (await api.pay(order, GOOD)).status_code == 201


async def test_3d_secure_waits_for_the_browser_and_continues(api: PaymentsApi, order: OrderData) -> None:
    waiting = (await api.pay(order, await card(api))).json()
    assert waiting["status"] == "requires_action"
    stripe_id, _, _ = waiting["clientSecret"].partition("_secret_")
    body = {"client_secret": waiting["clientSecret"]}
    await api.bank.post(f"/v1/payment_intents/{stripe_id}/_authenticate?success=true", json=body)
    answer = await api.call("POST", f"/{waiting['id']}/refresh", user_id=order.user_id, json={})
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["clientSecret"]) == ("authorized", None)


async def test_without_a_card_the_browser_gets_the_secret_to_enter_one(api: PaymentsApi, order: OrderData) -> None:
    answer = await api.pay(order, None)
    assert answer.status_code == 201
    assert answer.json()["status"] == "requires_action"
    assert answer.json()["clientSecret"]


async def test_two_concurrent_requests_make_one_payment(api: PaymentsApi, order: OrderData) -> None:
    answers = await asyncio.gather(*(api.pay(order) for _ in range(5)))
    created = [answer.json()["id"] for answer in answers if answer.status_code == 201]
    assert created
    assert len(set(created)) == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    listed = (await api.bank.get("/v1/payment_intents?limit=10000")).json()["data"]
    assert len([intent for intent in listed if intent["metadata"].get("order_id") == order.id]) == 1


async def test_the_same_idempotency_key_returns_the_same_response(api: PaymentsApi, order: OrderData) -> None:
    headers = {"Idempotency-Key": token_hex(8)}
    first, second = [await api.pay(order, headers=dict(headers)) for _ in range(2)]
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
