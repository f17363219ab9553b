import asyncio
from collections.abc import Callable
from datetime import timedelta
from secrets import token_hex

import httpx
import pytest

from ticketing_common.events import (
    OrderCancelled,
    OrderCompleted,
    OrderCreated,
    OrderData,
    OrderReason,
    OrderStatus,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentEvent,
    PaymentFailed,
    PaymentStatus,
    PaymentVoided,
)
from ticketing_payments.app import create_app
from ticketing_payments.service import PaymentService
from ticketing_payments.settings import Settings
from ticketing_payments.subscribers import subscriptions
from ticketing_testkit.apps import Bus, Identity, run_app
from ticketing_testkit.stripe_proxy import StripeProxy

from .scenario import Stores, make_order

GOOD = "pm_card_visa"


def about(payment_id: str) -> Callable[[PaymentEvent], bool]:
    return lambda event: event.data.id == payment_id


def complete(order: OrderData, payment_id: str) -> OrderCompleted:
    changes = {"version": 2, "status": OrderStatus.COMPLETE, "payment_id": payment_id}
    return OrderCompleted.of(order.model_copy(update=changes))


def cancelled(order: OrderData, *, version: int = 2, reason: OrderReason = OrderReason.EXPIRED) -> OrderCancelled:
    return OrderCancelled.of(
        order.model_copy(update={"version": version, "status": OrderStatus.CANCELLED, "reason": reason})
    )


@pytest.fixture
def settings(service_settings: dict[str, object], stripe_key: str, webhook_secret: str, proxy: StripeProxy) -> Settings:
    return Settings.model_validate(
        service_settings
        | {
            "stripe_key": stripe_key,
            "stripe_webhook_secret": webhook_secret,
            "stripe_api_base": proxy.url,
            "reconcile_seconds": 0.2,
        }
    )


def test_the_service_consumes_only_order_events(service: PaymentService) -> None:
    (subscription,) = subscriptions(service)
    assert set(subscription.handlers) == {OrderCreated, OrderCompleted, OrderCancelled}
    assert subscription.durable("payments") == "payments-orders"


async def test_every_handler_is_idempotent(service: PaymentService, stores: Stores) -> None:
    (orders,) = subscriptions(service)
    kept, lost = make_order(), make_order()
    for order in (kept, lost):
        for _ in range(2):
            await orders.handlers[OrderCreated](OrderCreated.of(order))
    paid = [await service.pay(one.id, user_id=one.user_id, payment_method_id=GOOD) for one in (kept, lost)]
    for _ in range(2):
        await orders.handlers[OrderCompleted](complete(kept, paid[0].id))
        await orders.handlers[OrderCancelled](cancelled(lost))
    statuses = [(await stores.payments.get(payment.id)).status for payment in paid]
    assert statuses == [PaymentStatus.CAPTURED, PaymentStatus.VOIDED]
    for payment in paid:
        document = await stores.payments.collection.find_one({"_id": payment.id})
        assert document is not None
        assert len(document["outbox"]) == 2


async def test_an_order_without_a_payment_needs_nothing(
    service: PaymentService, stores: Stores, proxy: StripeProxy
) -> None:
    order = make_order()
    (orders,) = subscriptions(service)
    await orders.handlers[OrderCancelled](cancelled(order))
    assert proxy.calls == []


async def test_payments_follow_their_orders_over_the_bus(
    settings: Settings, bus: Bus, proxy: StripeProxy, identity: Identity
) -> None:
    """Paid and captured; declined; cancelled and voided; a capture with an error at Stripe; a refused capture."""
    orders = {name: make_order() for name in ("kept", "declined", "cancelled", "slow", "refused")}
    app = create_app(settings)
    async with run_app(app) as client:

        async def pay(order: OrderData, method: str = GOOD) -> httpx.Response:
            return await client.post(
                "/api/payments",
                json={"orderId": order.id, "paymentMethodId": method},
                headers=identity.headers(user_id=order.user_id),
            )

        for order in orders.values():
            await bus.publish(OrderCreated.of(order))

        assert (await pay(orders["declined"], "pm_card_chargeCustomerFail")).status_code == 402
        await bus.expect(PaymentFailed, lambda event: event.data.order_id == orders["declined"].id)

        paid = {}
        for name in ("kept", "cancelled", "slow", "refused"):
            answer = await pay(orders[name])
            assert answer.status_code == 201
            paid[name] = answer.json()["id"]
            await bus.expect(PaymentAuthorized, about(paid[name]))

        await bus.publish(complete(orders["kept"], paid["kept"]))
        captured = await bus.expect(PaymentCaptured, lambda event: event.data.id == paid["kept"])
        assert (captured.data.status, captured.data.amount_cents) == (PaymentStatus.CAPTURED, 2_550)

        await bus.publish(cancelled(orders["cancelled"]))
        await bus.expect(PaymentVoided, lambda event: event.data.id == paid["cancelled"])

        proxy.fail("away", "/capture$", times=5)
        await bus.publish(complete(orders["slow"], paid["slow"]))
        await bus.expect(PaymentCaptured, lambda event: event.data.id == paid["slow"])

        proxy.fail("refused", "/capture$", error={"code": "charge_expired_for_capture"})
        await bus.publish(complete(orders["refused"], paid["refused"]))
        await bus.expect(PaymentFailed, lambda event: event.data.id == paid["refused"])


async def test_the_running_service_answers_503_and_resolves_the_payment_by_itself(
    settings: Settings, bus: Bus, proxy: StripeProxy, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ticketing_payments.domain.payment.FIRST_CHECK", timedelta())
    order = make_order()
    async with run_app(create_app(settings)) as client:
        await bus.publish(OrderCreated.of(order))
        proxy.fail("away", "/confirm$", times=4)
        answer = await client.post(
            "/api/payments",
            json={"orderId": order.id, "paymentMethodId": GOOD},
            headers=identity.headers(user_id=order.user_id) | {"Idempotency-Key": token_hex(8)},
        )
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        await bus.expect(PaymentAuthorized, lambda event: event.data.order_id == order.id)


async def test_the_service_starts_and_ends_while_stripe_is_away(settings: Settings, bus: Bus) -> None:
    away = settings.model_copy(update={"stripe_api_base": "http://127.0.0.1:1"})
    async with asyncio.timeout(60), run_app(create_app(away)) as client:
        assert (await client.get("/readyz")).status_code == 200
