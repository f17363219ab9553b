import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from nats.js.api import StorageType

from ticketing_common.delivery import EventSubscription, ServiceRuntime, StreamReader
from ticketing_common.delivery import runtime as runtime_module
from ticketing_common.entity import new_id
from ticketing_common.events import ExpirationCompleted
from ticketing_common.messaging import stream_config
from ticketing_common.settings import EventServiceSettings, ServiceSettings
from ticketing_common.storage import ASCENDING, Database, Index, Repository, ensure_indexes
from ticketing_common.topology import EXPIRATIONS, ORDERS
from ticketing_testkit.apps import Bus
from ticketing_testkit.servers import Mongod, NatsServer, free_port
from ticketing_testkit.waiting import until

from .conftest import Parcel, to_event


class ParcelRepository(Repository[Parcel]):
    INDEXES = (Index([("label", ASCENDING)], name="label"),)


@pytest.fixture
def settings(service_settings: dict[str, object]) -> EventServiceSettings:
    return EventServiceSettings.model_validate({**service_settings, "service_name": "parcels"})


def joined(settings: ServiceSettings) -> tuple[ServiceRuntime, ParcelRepository]:
    runtime = ServiceRuntime(settings, publishes=EXPIRATIONS)
    parcels = ParcelRepository(runtime.outbox("parcels"), Parcel)
    runtime.add_stores(parcels)
    return runtime, parcels


async def test_when_nothing_is_missing_indexes_and_streams_exist_and_events_flow(
    settings: EventServiceSettings, bus: Bus, database: Database
) -> None:
    await bus.js.delete_stream(EXPIRATIONS)
    runtime, parcels = joined(settings)
    assert {"database", "nats"} <= set(runtime.missing())

    runtime.start()
    await runtime.wait_until_ready()
    await parcels.add(Parcel(label="a"), to_event)

    await bus.expect(ExpirationCompleted, lambda event: event.data.order_id == "a")
    assert {"label", "outbox_at"} <= set(await database["parcels"].index_information())
    await runtime.stop()


async def test_a_lost_stream_is_recreated_and_waiting_events_are_published(
    settings: EventServiceSettings, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_module, "STREAMS_SECONDS", 0.2)
    handled: list[str] = []

    async def handle(event: ExpirationCompleted) -> None:
        handled.append(event.data.order_id)

    runtime, parcels = joined(settings)
    runtime.subscribe([EventSubscription(EXPIRATIONS, {ExpirationCompleted: handle})])
    runtime.start()
    await runtime.wait_until_ready()
    await parcels.add(Parcel(label="before"), to_event)

    async def handled_the_first() -> bool:
        return handled == ["before"]

    await until(handled_the_first)
    await bus.js.delete_stream(EXPIRATIONS)
    await parcels.add(Parcel(label="meanwhile"), to_event)

    async def handled_the_second() -> bool:
        return handled == ["before", "meanwhile"]

    await until(handled_the_second)
    await runtime.stop()


async def test_a_service_may_start_before_its_dependencies(tmp_path: Path, service_settings: dict[str, object]) -> None:
    mongod, nats_server = Mongod(tmp_path / "mongod", port=free_port()), NatsServer(tmp_path / "nats", port=free_port())
    runtime, _ = joined(
        EventServiceSettings.model_validate(
            {
                **service_settings,
                "service_name": "parcels",
                "mongo_url": f"{mongod.url}&serverSelectionTimeoutMS=500",
                "nats_url": nats_server.url,
            }
        )
    )
    runtime.start()
    try:

        async def only_the_bus_is_missing() -> bool:
            return "nats" in runtime.missing() and "database" not in runtime.missing()

        await asyncio.to_thread(mongod.start)
        await until(only_the_bus_is_missing)

        await asyncio.to_thread(nats_server.start)
        await runtime.wait_until_ready()
    finally:
        await runtime.stop()
        nats_server.stop()
        mongod.stop()


async def test_a_consuming_service_stays_ready_during_a_bus_outage(
    tmp_path: Path, service_settings: dict[str, object], printed_logs: Callable[[], str]
) -> None:
    """Its requests continue. If it were not ready, all replicas of all services would leave the rotation together."""
    nats_server = NatsServer(tmp_path / "nats", port=free_port())
    settings = EventServiceSettings.model_validate(
        {
            **service_settings,
            "service_name": "parcels",
            "nats_url": nats_server.url,
            "nats_lost_after_seconds": 3600,
        }
    )
    runtime, _ = joined(settings)

    async def ignore(_event: object) -> None: ...

    runtime.subscribe([EventSubscription(EXPIRATIONS, {ExpirationCompleted: ignore})])
    await asyncio.to_thread(nats_server.start)
    runtime.start()
    try:
        await runtime.wait_until_ready()
        # As Kubernetes ends it: JetStream goes first, clients are sent away, and the server last.
        assert nats_server.pid is not None
        os.kill(nats_server.pid, signal.SIGUSR2)

        async def the_consumer_has_noticed() -> bool:
            return "consumer not bound, retrying" in printed_logs()

        await until(the_consumer_has_noticed)
        assert runtime.missing() == []
    finally:
        await runtime.stop()
        nats_server.stop()


async def test_events_committed_before_the_stop_are_published_before_it_ends(
    settings: EventServiceSettings, bus: Bus
) -> None:
    runtime, parcels = joined(settings)
    runtime.start()
    await runtime.wait_until_ready()

    async def caught_up() -> bool:
        # Until its first sweep has ended, the relay ignores notifications: a sweep publishes every entry.
        return runtime._relay is not None and not runtime._relay._backlog

    await until(caught_up)
    await bus.publish(ExpirationCompleted.of(to_event(Parcel(version=1)).data))  # something else on the stream

    await asyncio.gather(*(parcels.add(Parcel(label="last"), to_event) for _ in range(20)))
    await runtime.stop()

    assert sum(event.data.order_id == "last" for event in await bus.events(ExpirationCompleted)) == 20


async def test_a_service_stops_without_an_error_during_a_bus_outage(
    settings: EventServiceSettings, bus: Bus, nats_server: NatsServer
) -> None:
    runtime, parcels = joined(settings)
    runtime.start()
    await runtime.wait_until_ready()
    nats_server.kill()
    await parcels.add(Parcel(), to_event)

    async with asyncio.timeout(60):
        await runtime.stop()


async def test_a_service_stops_in_time_while_bus_and_database_hang(
    service_settings: dict[str, object], mongod: Mongod, nats_server: NatsServer, bus: Bus
) -> None:
    own = {"service_name": "parcels", "mongo_url": mongod.url}
    runtime, parcels = joined(EventServiceSettings.model_validate(service_settings | own))
    runtime.follow(StreamReader(runtime.bus, EXPIRATIONS, on_event=lambda *_: None, on_gap=lambda: None))
    runtime.start()
    adding = asyncio.create_task(asyncio.sleep(0))
    try:
        await runtime.wait_until_ready()
        with mongod.paused(), nats_server.paused():
            adding = asyncio.create_task(parcels.add(Parcel(), to_event))
            async with asyncio.timeout(60):  # six are promised; without limits of its own it waits for ever
                await runtime.stop()
    finally:
        await asyncio.gather(adding, return_exceptions=True)


async def test_a_service_whose_stream_is_not_as_declared_is_not_ready(settings: EventServiceSettings, bus: Bus) -> None:
    await bus.js.delete_stream(EXPIRATIONS)
    drifted = replace(stream_config(EXPIRATIONS, replicas=1), storage=StorageType.MEMORY)
    await bus.js.add_stream(drifted)
    runtime, _ = joined(settings)
    runtime.start()

    async def only_the_bus_is_missing() -> bool:
        return runtime.missing() == ["nats", "start-up"]

    await until(only_the_bus_is_missing)
    await runtime.stop()


async def test_a_failed_index_is_logged_and_retried(
    settings: EventServiceSettings,
    bus: Bus,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    printed_logs: Callable[[], str],
) -> None:
    monkeypatch.setattr("ticketing_common.delivery.runtime.RESTORE_SECONDS", 0.1)
    await ensure_indexes(database["parcels"], [Index([("colour", ASCENDING)], name="label")])
    runtime, _ = joined(settings)
    runtime.start()

    async def logged() -> bool:
        return "an index cannot be created" in printed_logs()

    await until(logged)
    assert "database" in runtime.missing()

    await database["parcels"].drop_index("label")
    await runtime.wait_until_ready()
    await runtime.stop()


async def test_a_consumer_is_missing_until_its_stream_exists(
    settings: EventServiceSettings, nats_url: str, bus: Bus
) -> None:
    await bus.js.delete_stream(ORDERS)
    runtime, _ = joined(settings)

    async def ignore(_event: object) -> None: ...

    runtime.subscribe([EventSubscription(ORDERS, {ExpirationCompleted: ignore})])
    runtime.start()

    async def only_the_consumer_is_missing() -> bool:
        return runtime.missing() == ["consumer parcels-orders"]

    await until(only_the_consumer_is_missing)
    async with Bus.connect(nats_url):  # declares all streams
        await runtime.wait_until_ready()
    await runtime.stop()


async def test_a_service_without_a_bus_keeps_its_events_and_reports_it(
    service_settings: dict[str, object], database: Database
) -> None:
    settings = ServiceSettings.model_validate({**service_settings, "service_name": "auth"})
    runtime, parcels = joined(settings)
    with pytest.raises(RuntimeError, match="auth has no event bus"):
        _ = runtime.bus
    runtime.start()
    await runtime.wait_until_ready()

    await parcels.add(Parcel(id=(parcel_id := new_id())), to_event)

    document = await database["parcels"].find_one({"_id": parcel_id})
    assert document is not None
    assert len(document["outbox"]) == 1
    await runtime.stop()
