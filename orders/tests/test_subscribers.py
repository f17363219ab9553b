import json
from dataclasses import replace
from datetime import timedelta

import pytest

from ticketing_common.delivery import EventSubscription
from ticketing_common.delivery.consumer import MAX_ACK_PENDING, MAX_DELIVER
from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import (
    Event,
    ExpirationCompleted,
    ExpirationData,
    OrderCancelled,
    OrderCompleted,
    OrderReason,
    OrderStatus,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDisputed,
    PaymentFailed,
    PaymentRefunded,
    PaymentStatus,
    PaymentVoided,
    TicketCancelled,
    TicketCreated,
    TicketData,
    TicketDeleted,
    TicketStatus,
    TicketUpdated,
)
from ticketing_common.messaging import consumer_config, ensure_consumer
from ticketing_common.storage import Outbox
from ticketing_common.topology import PAYMENTS
from ticketing_orders import app as orders_app
from ticketing_orders.app import create_app
from ticketing_orders.domain import Order
from ticketing_orders.publishers import order_created
from ticketing_orders.repository import OrderRepository
from ticketing_orders.service import OrderService
from ticketing_orders.settings import Settings
from ticketing_orders.subscribers import subscriptions
from ticketing_testkit.apps import Bus, Identity, run_app

from .conftest import MakeOrder, MakePayment, MakeTicket


def expired(order: Order, *, version: int = 1) -> ExpirationCompleted:
    return ExpirationCompleted.of(
        ExpirationData(id=order.id, version=version, order_id=order.id, expires_at=order.expires_at)
    )


def test_only_events_that_change_an_order_are_subscribed(service: OrderService) -> None:
    handled = {event for subscription in subscriptions(service) for event in subscription.handlers}
    assert handled == {
        TicketCreated,
        TicketUpdated,
        TicketCancelled,
        TicketDeleted,
        PaymentAuthorized,
        PaymentFailed,
        PaymentRefunded,
        PaymentDisputed,
        ExpirationCompleted,
    }
    assert not handled & {PaymentCaptured, PaymentVoided}
    assert [subscription.durable("orders") for subscription in subscriptions(service)] == [
        "orders-tickets",
        "orders-payments",
        "orders-expirations",
    ]


async def test_every_handler_is_idempotent(
    service: OrderService,
    orders: OrderRepository,
    make_order: MakeOrder,
    make_ticket: MakeTicket,
    make_payment: MakePayment,
) -> None:
    handlers = {event: handle for one in subscriptions(service) for event, handle in one.handlers.items()}

    async def deliver(event: Event) -> None:
        await handlers[type(event)](event)

    ticket = make_ticket()
    for _ in range(2):
        await deliver(TicketCreated.of(ticket))
        await deliver(TicketUpdated.of(ticket.model_copy(update={"version": 2})))
    paid, failed, late = make_order(ticket), make_order(), make_order(due=True)
    for order in (paid, failed, late):
        await orders.add(order, order_created)
    payment, refused = make_payment(paid), make_payment(failed)
    await deliver(PaymentAuthorized.of(refused))
    for _ in range(2):
        await deliver(PaymentAuthorized.of(payment))
        await deliver(PaymentFailed.of(refused.model_copy(update={"version": 3, "status": PaymentStatus.FAILED})))
        await deliver(expired(late))
        await deliver(TicketDeleted.of(ticket.model_copy(update={"version": 3, "status": TicketStatus.DELETED})))
    found = [await orders.get(order.id) for order in (paid, failed, late)]
    assert [(order.status, order.reason, order.version) for order in found] == [
        (OrderStatus.COMPLETE, None, 2),
        (OrderStatus.CANCELLED, OrderReason.PAYMENT_FAILED, 3),
        (OrderStatus.CANCELLED, OrderReason.EXPIRED, 2),
    ]


async def test_the_saga_runs_over_the_bus(
    service_settings: dict[str, object],
    identity: Identity,
    bus: Bus,
    make_ticket: MakeTicket,
    make_order: MakeOrder,
    make_payment: MakePayment,
) -> None:
    """One held ticket is paid, one capture fails, one ticket is deleted, one hold expires: each by an event."""
    app = create_app(Settings.model_validate(service_settings | {"overtake_wait_seconds": 30}))
    async with run_app(app) as client:
        orders = OrderRepository(Outbox(app.state.runtime.collection("orders")))

        async def hold() -> tuple[TicketData, Order]:
            listed = make_ticket()
            await bus.publish(TicketCreated.of(listed))
            answer = await client.post("/api/orders", json={"ticketId": listed.id}, headers=identity.headers())
            assert answer.status_code == 201
            return listed, await orders.get(answer.json()["id"])

        _, paid = await hold()
        payment = make_payment(paid)
        await bus.publish(PaymentAuthorized.of(payment))
        completed = await bus.expect(OrderCompleted, lambda event: event.data.id == paid.id)
        assert (completed.data.payment_id, completed.data.version) == (payment.id, 2)

        await bus.publish(PaymentFailed.of(payment.model_copy(update={"version": 3, "status": PaymentStatus.FAILED})))
        cancelled = await bus.expect(OrderCancelled, lambda event: event.data.id == paid.id)
        assert (cancelled.data.reason, cancelled.data.version) == (OrderReason.PAYMENT_FAILED, 3)

        listed, gone = await hold()
        await bus.publish(TicketDeleted.of(listed.model_copy(update={"version": 2, "status": TicketStatus.DELETED})))
        cancelled = await bus.expect(OrderCancelled, lambda event: event.data.id == gone.id)
        assert cancelled.data.reason is OrderReason.TICKET_GONE

        late = make_order(due=True)
        await orders.add(late)
        await bus.publish(expired(late))
        cancelled = await bus.expect(OrderCancelled, lambda event: event.data.id == late.id)
        assert cancelled.data.reason is OrderReason.EXPIRED


async def test_a_hold_whose_timer_is_ahead_of_our_clock_is_released_in_time(
    service_settings: dict[str, object], bus: Bus, make_order: MakeOrder
) -> None:
    app = create_app(Settings.model_validate(service_settings))
    async with run_app(app):
        order = make_order()
        order.expires_at = utc_now() + timedelta(milliseconds=500)
        await OrderRepository(Outbox(app.state.runtime.collection("orders"))).add(order)
        await bus.publish(expired(order))
        cancelled = await bus.expect(OrderCancelled, lambda event: event.data.id == order.id)
        assert cancelled.time >= order.expires_at


async def test_an_order_paid_in_time_does_not_expire_while_the_payments_event_waits_for_redelivery(
    service_settings: dict[str, object],
    service: OrderService,
    bus: Bus,
    make_order: MakeOrder,
    make_payment: MakePayment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A replica died while it handled the event; the broker redelivers it only after `ack_wait_seconds`."""

    def redelivered_late(service: OrderService) -> list[EventSubscription]:
        """Here only the test decides when, so the app may take as long as it likes to start."""
        return [replace(one, ack_wait_seconds=600.0) for one in subscriptions(service)]

    monkeypatch.setattr(orders_app, "subscriptions", redelivered_late)
    app = create_app(Settings.model_validate(service_settings))
    (payments,) = (one for one in redelivered_late(service) if one.stream == PAYMENTS)
    config = consumer_config(
        payments.durable("orders"),
        filter_subjects=payments.filter_subjects,
        ack_wait_seconds=payments.ack_wait_seconds,
        max_ack_pending=MAX_ACK_PENDING,
        max_deliver=MAX_DELIVER,
        replicas=1,
    )
    await ensure_consumer(bus.js, PAYMENTS, config)
    late, unpaid = make_order(due=True), make_order(due=True)
    await bus.publish(PaymentAuthorized.of(make_payment(late)))
    dead_replica = await bus.js.pull_subscribe_bind(payments.durable("orders"), stream=PAYMENTS)
    (in_hand,) = await dead_replica.fetch(1)
    async with run_app(app):
        orders = OrderRepository(Outbox(app.state.runtime.collection("orders")))
        progress = await bus.client.subscribe("$JS.API.STREAM.INFO.PAYMENTS")
        for order in (late, unpaid):
            await orders.add(order)
            await bus.publish(expired(order))
        for _ in range(2):  # read once while the event was not handled: the expiry waits
            await progress.next_msg(timeout=30)
        assert [(await orders.get(order.id)).status for order in (late, unpaid)] == [OrderStatus.CREATED] * 2
        await in_hand.nak()
        completed = await bus.expect(OrderCompleted)
        cancelled = await bus.expect(OrderCancelled)
        assert (completed.data.id, cancelled.data.id) == (late.id, unpaid.id)
        assert cancelled.data.reason is OrderReason.EXPIRED


async def test_an_event_about_an_unknown_order_becomes_a_dead_letter(
    service_settings: dict[str, object], bus: Bus, make_order: MakeOrder, make_payment: MakePayment
) -> None:
    app = create_app(Settings.model_validate(service_settings))
    letters = await bus.js.subscribe("dead_letters.>")
    async with run_app(app):
        event = PaymentAuthorized.of(make_payment(make_order()))
        await bus.publish(event)
        letter = json.loads((await letters.next_msg(timeout=30)).data)
    assert (letter["consumer"], letter["subject"]) == ("orders-payments", event.nats_subject)
    assert letter["error"].startswith("OrderNotFoundError")


async def test_two_replicas_share_the_events_and_a_waiting_one_still_sees_the_ticket(
    service_settings: dict[str, object], identity: Identity, bus: Bus, make_ticket: MakeTicket
) -> None:
    settings = Settings.model_validate(service_settings | {"overtake_wait_seconds": 30})
    async with run_app(create_app(settings)) as one, run_app(create_app(settings)) as other:
        for _ in range(5):
            listed = make_ticket()
            await bus.publish(TicketCreated.of(listed))
            body = {"ticketId": listed.id}
            answers = [
                await one.post("/api/orders", json=body, headers=identity.headers(user_id=new_id())),
                await other.post("/api/orders", json=body, headers=identity.headers(user_id=new_id())),
            ]
            assert [answer.status_code for answer in answers] == [201, 409]
