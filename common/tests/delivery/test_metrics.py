"""The gauges and counters of event delivery, as Prometheus scrapes them."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from prometheus_client import REGISTRY

from ticketing_common.delivery import Consumer, Relay
from ticketing_common.delivery import relay as relay_module
from ticketing_common.entity import new_id
from ticketing_common.errors import PermanentError
from ticketing_common.events import ExpirationCompleted
from ticketing_common.messaging import NatsConnection
from ticketing_common.storage import Database, Lease, Outbox, Repository
from ticketing_testkit.apps import Bus
from ticketing_testkit.servers import NatsServer
from ticketing_testkit.waiting import until

from .conftest import Parcel, to_event

Consume = Callable[..., AbstractAsyncContextManager[Consumer]]
MakeEvent = Callable[..., ExpirationCompleted]
DURABLE = "orders-expirations"


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_the_outbox_metrics_show_count_and_age(
    connection: NatsConnection,
    database: Database,
    nats_server: NatsServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relay_module, "STATS_SECONDS", 0.1)
    monkeypatch.setattr(relay_module, "SWEEP_SECONDS", 0.1)
    service = f"test-{new_id()}"
    of_outbox = {"service": service, "collection": "parcels"}
    relay = Relay(connection, service=service, lease=Lease(database, "relay", seconds=5))
    outbox = Outbox(database["parcels"], relay.notify)
    parcels = Repository(outbox, Parcel)
    relay.watch(outbox)
    await parcels.ensure_indexes()
    nats_server.kill()

    async def noticed() -> bool:
        return not connection.connected

    await until(noticed)
    relay.start()
    try:
        for _ in range(7):
            await parcels.add(Parcel(), to_event)

        async def waiting() -> bool:
            old = sample("outbox_oldest_seconds", **of_outbox) > 0.2
            return old and sample("outbox_pending", **of_outbox) == 7

        await until(waiting)
        await asyncio.to_thread(nats_server.start)

        async def told_all() -> bool:
            return sample("outbox_pending", **of_outbox) == 0

        await until(told_all)
    finally:
        await relay.stop()

    assert sample("outbox_oldest_seconds", **of_outbox) == 0
    assert sample("relay_published_total", service=service, path="sweep") == 7


async def test_the_outbox_metrics_continue_while_the_sweep_waits_for_a_hanging_broker(
    connection: NatsConnection,
    database: Database,
    nats_server: NatsServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relay_module, "STATS_SECONDS", 0.1)
    monkeypatch.setattr(relay_module, "SWEEP_SECONDS", 0.1)
    monkeypatch.setattr("ticketing_common.messaging.publisher.ACK_SECONDS", 600)  # the sweep waits to the end
    service = f"test-{new_id()}"
    relay = Relay(connection, service=service, lease=Lease(database, "relay", seconds=5))
    outbox = Outbox(database["parcels"], relay.notify)
    parcels = Repository(outbox, Parcel)
    relay.watch(outbox)
    await parcels.ensure_indexes()
    try:
        with nats_server.paused():
            relay.start()
            await parcels.add(Parcel(), to_event)

            async def swept() -> bool:
                return sample("outbox_oldest_seconds", service=service, collection="parcels") > 2.5

            await until(swept)
            # The sweep has sent it (what is older than 2 s) and waits for an answer; the gauge goes on meanwhile.
            since = sample("outbox_oldest_seconds", service=service, collection="parcels")

            async def counted() -> bool:
                return sample("outbox_oldest_seconds", service=service, collection="parcels") > since + 0.5

            await until(counted)
    finally:
        await relay.stop()


async def test_the_consumer_metrics_show_the_lag_and_each_outcome(
    connection: NatsConnection, bus: Bus, consume: Consume, event: MakeEvent
) -> None:
    finish, lagging = asyncio.Event(), 300

    async def slow(_event: ExpirationCompleted) -> None:
        await finish.wait()
        raise PermanentError("never")

    def outcome(name: str) -> float:
        return sample("events_consumed_total", service="orders", consumer=DURABLE, outcome=name)

    dead_lettered, letters = outcome("dead_lettered"), sample("dead_letters_total", consumer=DURABLE)
    for _ in range(lagging):
        await bus.publish(event())

    async with consume(connection, slow):

        async def behind() -> bool:
            return sample("consumer_lag", consumer=DURABLE) == lagging - 256  # what one replica takes in hand

        await until(behind)
        finish.set()

        async def caught_up() -> bool:
            return sample("consumer_lag", consumer=DURABLE) == 0 and outcome("dead_lettered") == dead_lettered + lagging

        await until(caught_up)

    assert sample("dead_letters_total", consumer=DURABLE) == letters + lagging
