"""Whether everything published so far is handled, according to the broker."""

import asyncio
import time
from types import SimpleNamespace

import pytest
from nats.js import JetStreamContext

from ticketing_common.delivery import ConsumerProgress, progress
from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import PaymentAuthorized, PaymentCaptured, PaymentData, PaymentStatus
from ticketing_common.messaging import NatsConnection, consumer_config, ensure_consumer
from ticketing_common.topology import PAYMENTS
from ticketing_testkit.apps import Bus
from ticketing_testkit.servers import NatsServer
from ticketing_testkit.waiting import until

DURABLE = "orders-payments"
ACK_WAIT_SECONDS = 30.0
CEILING_SECONDS = 10.0


def payment(status: PaymentStatus = PaymentStatus.AUTHORIZED) -> PaymentData:
    return PaymentData.model_validate(
        {
            "id": new_id(),
            "version": 2,
            "order_id": new_id(),
            "user_id": new_id(),
            "amount_cents": 2_550,
            "currency": "usd",
            "status": status,
            "stripe_id": None,
            "created_at": utc_now(),
        }
    )


@pytest.fixture(autouse=True)
def long_connected(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "reconnecting" not in request.node.name:
        monkeypatch.setattr(progress, "RECONNECTED_SECONDS", 0.0)


@pytest.fixture
async def pull(bus: Bus) -> JetStreamContext.PullSubscription:
    """Fetches events and leaves them unacknowledged, as a dying replica does."""
    config = consumer_config(
        DURABLE,
        filter_subjects=[f"{PaymentAuthorized.NAME}.*"],
        ack_wait_seconds=ACK_WAIT_SECONDS,
        max_ack_pending=100,
        max_deliver=100,
        replicas=1,
    )
    await ensure_consumer(bus.js, PAYMENTS, config)
    return await bus.js.pull_subscribe_bind(DURABLE, stream=PAYMENTS)


@pytest.fixture
def payments(connection: NatsConnection) -> ConsumerProgress:
    return ConsumerProgress(connection, PAYMENTS, DURABLE)


async def is_handled(payments: ConsumerProgress, *, timeout_seconds: float = 0.5) -> bool:
    return await payments.handled_until_now(timeout_seconds=timeout_seconds)


async def test_an_empty_stream_is_handled(payments: ConsumerProgress, pull: JetStreamContext.PullSubscription) -> None:
    assert await is_handled(payments, timeout_seconds=CEILING_SECONDS)


async def test_an_event_counts_until_it_is_acknowledged(
    payments: ConsumerProgress, pull: JetStreamContext.PullSubscription, bus: Bus
) -> None:
    await bus.publish(PaymentAuthorized.of(payment()))
    assert not await is_handled(payments), "it is not delivered"
    (message,) = await pull.fetch(1)
    assert not await is_handled(payments), "it is delivered and not acknowledged"
    await message.nak(delay=1.5)
    assert not await is_handled(payments), "it waits for its next delivery"
    (message,) = await pull.fetch(1)
    waiting = asyncio.create_task(is_handled(payments, timeout_seconds=CEILING_SECONDS))
    await message.ack()
    assert await waiting


async def test_what_is_published_later_is_not_waited_for(
    payments: ConsumerProgress, pull: JetStreamContext.PullSubscription, bus: Bus
) -> None:
    await bus.publish(PaymentAuthorized.of(payment()))
    (first,) = await pull.fetch(1)
    asked = await bus.client.subscribe(f"$JS.API.CONSUMER.INFO.{PAYMENTS}.{DURABLE}")
    waiting = asyncio.create_task(is_handled(payments, timeout_seconds=CEILING_SECONDS))
    for _ in range(2):  # Only the second check shows that the first one is over, and with it what the stream held.
        await asked.next_msg(timeout=CEILING_SECONDS)
    await bus.publish(PaymentAuthorized.of(payment()))
    await pull.fetch(1)  # and kept
    await bus.publish(PaymentAuthorized.of(payment()))
    await first.ack()
    assert await waiting
    assert not await is_handled(payments), "who asks now waits for them"


async def test_events_outside_the_consumers_filter_are_not_waited_for(
    payments: ConsumerProgress, pull: JetStreamContext.PullSubscription, bus: Bus
) -> None:
    await bus.publish(PaymentAuthorized.of(payment()))
    await bus.publish(PaymentCaptured.of(payment(PaymentStatus.CAPTURED)))
    (message,) = await pull.fetch(1)
    await message.ack()
    assert await is_handled(payments, timeout_seconds=CEILING_SECONDS)


async def test_an_unknown_consumer_counts_as_no_progress(payments: ConsumerProgress) -> None:
    assert not await is_handled(payments)


async def test_concurrent_callers_share_a_few_requests_to_the_broker(
    payments: ConsumerProgress, pull: JetStreamContext.PullSubscription, bus: Bus
) -> None:
    asked = await bus.client.subscribe(f"$JS.API.CONSUMER.INFO.{PAYMENTS}.{DURABLE}")
    assert all(await asyncio.gather(*(is_handled(payments, timeout_seconds=CEILING_SECONDS) for _ in range(200))))
    await bus.client.flush()
    assert asked.pending_msgs <= 10


async def test_after_a_reconnect_other_services_have_time_to_publish_their_backlog(
    payments: ConsumerProgress,
    pull: JetStreamContext.PullSubscription,
    nats_server: NatsServer,
    connection: NatsConnection,
) -> None:
    async def lost() -> bool:
        return not connection.connected

    async def reconnected() -> bool:
        return connection.connected

    nats_server.kill()
    await until(lost)
    await asyncio.to_thread(nats_server.start)
    await until(reconnected)
    assert await is_handled(payments, timeout_seconds=CEILING_SECONDS)
    assert connection.connected_seconds >= progress.RECONNECTED_SECONDS


async def test_a_blocked_consumer_makes_only_the_first_caller_wait(
    payments: ConsumerProgress, pull: JetStreamContext.PullSubscription, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "UNWATCHED_SECONDS", 600)  # also when the machine takes long between two of them
    asked = await bus.client.subscribe(f"$JS.API.CONSUMER.INFO.{PAYMENTS}.{DURABLE}")
    await bus.publish(PaymentAuthorized.of(payment()))
    await pull.fetch(1)  # and kept
    loop = asyncio.get_running_loop()
    begun = loop.time()
    assert not await is_handled(payments, timeout_seconds=2.0)
    assert loop.time() - begun >= 2.0
    await bus.client.flush()
    looked = asked.pending_msgs
    for _ in range(5):
        assert not await is_handled(payments, timeout_seconds=2.0)
    await bus.client.flush()
    assert asked.pending_msgs <= looked + 5, "each checks once, and does not wait"


async def test_a_consumer_that_makes_progress_is_waited_for(
    payments: ConsumerProgress, pull: JetStreamContext.PullSubscription, bus: Bus
) -> None:
    for _ in range(8):
        await bus.publish(PaymentAuthorized.of(payment()))
    waiting = asyncio.create_task(is_handled(payments, timeout_seconds=5.0))
    for message in await pull.fetch(8):
        await asyncio.sleep(0.75)  # slow work: six seconds altogether, and never five without an acknowledgement
        await message.ack()
    assert await waiting


async def test_a_consumer_that_was_idle_gets_the_full_timeout(
    payments: ConsumerProgress, pull: JetStreamContext.PullSubscription, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    idle_seconds = 0.0
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + idle_seconds))
    while idle_seconds < 2 * CEILING_SECONDS:
        assert await is_handled(payments, timeout_seconds=CEILING_SECONDS)
        idle_seconds += progress.UNWATCHED_SECONDS / 2
    await bus.publish(PaymentAuthorized.of(payment()))
    (message,) = await pull.fetch(1)
    waiting = asyncio.create_task(is_handled(payments, timeout_seconds=CEILING_SECONDS))
    _, pending = await asyncio.wait([waiting], timeout=0.5)
    await message.ack()
    assert pending
    assert await waiting


async def test_a_service_is_caught_up_unless_events_or_the_broker_are_missing(
    payments: ConsumerProgress,
    pull: JetStreamContext.PullSubscription,
    bus: Bus,
    nats_server: NatsServer,
    connection: NatsConnection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "CAUGHT_UP_SECONDS", 1.0)
    await bus.publish(PaymentAuthorized.of(payment()))
    assert not await payments.is_caught_up(), "an event is not handled"
    (message,) = await pull.fetch(1)
    await message.ack()

    async def caught_up() -> bool:
        return await payments.is_caught_up()

    await until(caught_up)
    with nats_server.paused():
        assert not await payments.is_caught_up(), "the broker does not answer"
    await until(caught_up)

    async def lost() -> bool:
        return not connection.connected

    nats_server.kill()
    await until(lost)
    assert not await payments.is_caught_up(), "there is no connection"
