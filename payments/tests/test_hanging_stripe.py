"""While Stripe hangs and its bulkhead is full, the same process answers requests that do not need Stripe."""

import asyncio

import httpx

from ticketing_common.events import OrderData
from ticketing_payments.app import create_app
from ticketing_payments.errors import StripeUnknownError
from ticketing_testkit.apps import Bus, Identity, run_app
from ticketing_testkit.stripe_proxy import StripeProxy

from .scenario import MakeSettings, make_order

PAYMENTS = "/api/payments"
PLACES = 2


async def test_other_routes_answer_while_calls_hang_at_stripe(
    make_settings: MakeSettings, proxy: StripeProxy, nats_url: str, bus: Bus, identity: Identity
) -> None:
    settings = make_settings(
        nats_url=nats_url, stripe_api_base=proxy.url, stripe_places=PLACES, stripe_timeout_seconds=60
    )
    app = create_app(settings)
    async with run_app(app) as client:
        paid, *others = [make_order() for _ in range(PLACES + 2)]
        for order in (paid, *others):
            await app.state.service.follow_order(order)

        async def pay(order: OrderData) -> httpx.Response:
            body = {"orderId": order.id, "paymentMethodId": "pm_card_visa"}
            return await client.post(PAYMENTS, json=body, headers=identity.headers(user_id=order.user_id))

        payment = (await pay(paid)).json()
        held = [proxy.fail("held", "POST /v1/payment_intents$") for _ in range(PLACES)]
        hanging = [asyncio.create_task(pay(order)) for order in others[:PLACES]]
        for fault in held:
            await asyncio.wait_for(fault.reached.wait(), 30)

        refused = await pay(others[-1])
        owner = identity.headers(user_id=paid.user_id)
        shown = [await client.get(f"{PAYMENTS}/{payment['id']}", headers=owner) for _ in range(20)]
        health = await client.get("/readyz")
        still_hanging = [not task.done() for task in hanging]

        for fault in held:
            fault.release()
        answers = await asyncio.gather(*hanging)

    assert still_hanging == [True] * PLACES, "the other requests got their responses before"
    assert (refused.status_code, int(refused.headers["Retry-After"]) >= 1) == (503, True)
    assert [answer.json() for answer in shown] == [payment] * 20
    assert health.status_code == 200
    assert [answer.status_code for answer in answers] == [201] * PLACES


async def test_the_time_of_the_request_is_the_calls_too(
    make_settings: MakeSettings, proxy: StripeProxy, nats_url: str, bus: Bus, identity: Identity
) -> None:
    """A call may take 60 s, the request 2 s: the response describes the call's outcome, and is no timeout."""
    settings = make_settings(
        nats_url=nats_url, stripe_api_base=proxy.url, stripe_timeout_seconds=60, request_seconds=2, reconcile_seconds=60
    )
    app = create_app(settings)
    async with run_app(app) as client:
        order = make_order()
        await app.state.service.follow_order(order)
        held = proxy.fail("held", "POST /v1/payment_intents$")
        body = {"orderId": order.id, "paymentMethodId": "pm_card_visa"}
        owner = identity.headers(user_id=order.user_id)

        refused = await client.post(PAYMENTS, json=body, headers=owner)
        held.release()
        assert (refused.status_code, refused.json()["title"]) == (503, StripeUnknownError.title)
        assert int(refused.headers["Retry-After"]) >= 1

    patient = settings.model_copy(update={"request_seconds": 60.0})
    async with run_app(create_app(patient)) as client:
        paid = await client.post(PAYMENTS, json=body, headers=owner)
    assert paid.status_code == 201, "the payment is unchanged"
