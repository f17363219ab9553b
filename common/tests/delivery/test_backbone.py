import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ticketing_common.delivery import Backbone, Subscription, Tail
from ticketing_common.delivery import backbone as room
from ticketing_common.entity import Entity, new_id
from ticketing_common.events import ExpirationCompleted, ExpirationData
from ticketing_common.events.subjects import EXPIRATIONS, ORDERS
from ticketing_common.messaging import stream_config
from ticketing_common.settings import EventServiceSettings, ServiceSettings
from ticketing_common.storage import ASCENDING, Database, Index, Repository, ensure_indexes
from ticketing_testkit.apps import Bus
from ticketing_testkit.servers import Mongod, NatsServer, free_port

Until = Callable[..., Awaitable[None]]


@dataclass(kw_only=True)
class Parcel(Entity):
    label: str = ""


class ParcelRepository(Repository[Parcel]):
    INDEXES = (Index([("label", ASCENDING)], name="label"),)


def told(parcel: Parcel) -> ExpirationCompleted:
    return ExpirationCompleted.of(
        ExpirationData(id=parcel.id, version=parcel.version, order_id=parcel.label, expires_at=parcel.updated_at)
    )


@pytest.fixture
def settings(service_settings: dict[str, object]) -> EventServiceSettings:
    return EventServiceSettings.model_validate({**service_settings, "service_name": "parcels"})


def joined(settings: ServiceSettings) -> tuple[Backbone, ParcelRepository]:
    backbone = Backbone(settings, publishes=EXPIRATIONS)
    parcels = ParcelRepository(backbone.outbox("parcels"), Parcel)
    backbone.add_stores(parcels)
    return backbone, parcels


async def test_when_nothing_is_missing_indexes_and_streams_exist_and_events_flow(
    settings: EventServiceSettings, bus: Bus, database: Database
) -> None:
    await bus.js.delete_stream(EXPIRATIONS)
    backbone, parcels = joined(settings)
    assert {"database", "nats"} <= set(backbone.missing())

    backbone.start()
    await backbone.wait_until_ready()
    await parcels.add(Parcel(label="a"), told)

    await bus.expect(ExpirationCompleted, lambda event: event.data.order_id == "a")
    assert {"label", "outbox_at"} <= set(await database["parcels"].index_information())
    await backbone.stop()


async def test_a_stream_that_is_lost_while_we_run_is_made_again_and_what_was_committed_is_told(
    settings: EventServiceSettings, bus: Bus, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "STREAMS_SECONDS", 0.2)
    heard: list[str] = []

    async def hear(event: ExpirationCompleted) -> None:
        heard.append(event.data.order_id)

    backbone, parcels = joined(settings)
    backbone.subscribe([Subscription(EXPIRATIONS, {ExpirationCompleted: hear})])
    backbone.start()
    await backbone.wait_until_ready()
    await parcels.add(Parcel(label="before"), told)

    async def heard_the_first() -> bool:
        return heard == ["before"]

    await until(heard_the_first)
    await bus.js.delete_stream(EXPIRATIONS)
    await parcels.add(Parcel(label="meanwhile"), told)

    async def heard_the_second() -> bool:
        return heard == ["before", "meanwhile"]

    await until(heard_the_second)
    await backbone.stop()


async def test_a_service_may_start_before_what_it_stands_on(
    tmp_path: Path, service_settings: dict[str, object], until: Until
) -> None:
    mongod, nats_server = Mongod(tmp_path / "mongod", port=free_port()), NatsServer(tmp_path / "nats", port=free_port())
    backbone, _ = joined(
        EventServiceSettings.model_validate(
            {
                **service_settings,
                "service_name": "parcels",
                "mongo_url": f"{mongod.url}&serverSelectionTimeoutMS=500",
                "nats_url": nats_server.url,
            }
        )
    )
    backbone.start()
    try:

        async def only_the_bus_is_missing() -> bool:
            return "nats" in backbone.missing() and "database" not in backbone.missing()

        await asyncio.to_thread(mongod.start)
        await until(only_the_bus_is_missing)

        await asyncio.to_thread(nats_server.start)
        await backbone.wait_until_ready()
    finally:
        await backbone.stop()
        nats_server.stop()
        mongod.stop()


async def test_a_service_that_hears_events_stays_ready_while_the_bus_is_away(
    tmp_path: Path, service_settings: dict[str, object], until: Until, printed_logs: Callable[[], str]
) -> None:
    """Its requests go on; unready, all replicas of all services would be taken out of rotation together."""
    nats_server = NatsServer(tmp_path / "nats", port=free_port())
    settings = EventServiceSettings.model_validate(
        {
            **service_settings,
            "service_name": "parcels",
            "nats_url": nats_server.url,
            "nats_lost_after_seconds": 3600,
        }
    )
    backbone, _ = joined(settings)

    async def ignore(_event: object) -> None: ...

    backbone.subscribe([Subscription(EXPIRATIONS, {ExpirationCompleted: ignore})])
    await asyncio.to_thread(nats_server.start)
    backbone.start()
    try:
        await backbone.wait_until_ready()
        # As Kubernetes ends it: JetStream goes first, clients are sent away, and the server last.
        assert nats_server.pid is not None
        os.kill(nats_server.pid, signal.SIGUSR2)

        async def the_consumer_has_noticed() -> bool:
            return "consumer not bound, trying again" in printed_logs()

        await until(the_consumer_has_noticed)
        assert backbone.missing() == []
    finally:
        await backbone.stop()
        nats_server.stop()


async def test_what_is_committed_before_the_end_is_told_before_the_end(
    settings: EventServiceSettings, bus: Bus, until: Until
) -> None:
    backbone, parcels = joined(settings)
    backbone.start()
    await backbone.wait_until_ready()

    async def caught_up() -> bool:
        # Until its first sweep is through, the relay takes no nudge: all goes out with that sweep, or the next one.
        return backbone._relay is not None and not backbone._relay._behind

    await until(caught_up)
    await bus.publish(ExpirationCompleted.of(told(Parcel(version=1)).data))  # something else on the stream

    await asyncio.gather(*(parcels.add(Parcel(label="last"), told) for _ in range(20)))
    await backbone.stop()

    assert sum(event.data.order_id == "last" for event in await bus.events(ExpirationCompleted)) == 20


async def test_a_service_ends_without_an_error_while_the_bus_is_away(
    settings: EventServiceSettings, bus: Bus, nats_server: NatsServer
) -> None:
    backbone, parcels = joined(settings)
    backbone.start()
    await backbone.wait_until_ready()
    nats_server.kill()
    await parcels.add(Parcel(), told)

    async with asyncio.timeout(15):
        await backbone.stop()


async def test_a_service_ends_in_time_though_bus_and_database_hang(
    service_settings: dict[str, object], mongod: Mongod, nats_server: NatsServer, bus: Bus
) -> None:
    own = {"service_name": "parcels", "mongo_url": mongod.url}
    backbone, parcels = joined(EventServiceSettings.model_validate(service_settings | own))
    backbone.follow(Tail(backbone.bus, EXPIRATIONS, on_event=lambda *_: None, on_gap=lambda: None))
    backbone.start()
    adding = asyncio.create_task(asyncio.sleep(0))
    try:
        await backbone.wait_until_ready()
        with mongod.paused(), nats_server.paused():
            adding = asyncio.create_task(parcels.add(Parcel(), told))
            async with asyncio.timeout(9):  # six are promised, and this machine may be busy
                await backbone.stop()
    finally:
        await asyncio.gather(adding, return_exceptions=True)


async def test_a_service_whose_stream_is_not_as_declared_is_not_ready(
    settings: EventServiceSettings, bus: Bus, until: Until
) -> None:
    await bus.js.delete_stream(EXPIRATIONS)
    drifted = replace(stream_config(EXPIRATIONS, replicas=1), storage="memory")
    await bus.js.add_stream(drifted)
    backbone, _ = joined(settings)
    backbone.start()

    async def only_the_bus_is_missing() -> bool:
        return backbone.missing() == ["nats", "start-up"]

    await until(only_the_bus_is_missing)
    await backbone.stop()


async def test_an_index_that_cannot_be_made_is_said_and_tried_again(
    settings: EventServiceSettings,
    bus: Bus,
    database: Database,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
    printed_logs: Callable[[], str],
) -> None:
    monkeypatch.setattr("ticketing_common.delivery.backbone.MENDING_SECONDS", 0.1)
    await ensure_indexes(database["parcels"], [Index([("colour", ASCENDING)], name="label")])
    backbone, _ = joined(settings)
    backbone.start()

    async def said() -> bool:
        return "an index cannot be made" in printed_logs()

    await until(said)
    assert "database" in backbone.missing()

    await database["parcels"].drop_index("label")
    await backbone.wait_until_ready()
    await backbone.stop()


async def test_a_consumer_is_among_what_is_missing_until_its_stream_exists(
    settings: EventServiceSettings, nats_url: str, bus: Bus, until: Until
) -> None:
    await bus.js.delete_stream(ORDERS)
    backbone, _ = joined(settings)

    async def ignore(_event: object) -> None: ...

    backbone.subscribe([Subscription(ORDERS, {ExpirationCompleted: ignore})])
    backbone.start()

    async def only_the_consumer_is_missing() -> bool:
        return backbone.missing() == ["consumer parcels-orders"]

    await until(only_the_consumer_is_missing)
    async with Bus.connect(nats_url):  # declares all streams
        await backbone.wait_until_ready()
    await backbone.stop()


async def test_a_service_without_a_bus_keeps_its_events_and_says_so(
    service_settings: dict[str, object], database: Database
) -> None:
    settings = ServiceSettings.model_validate({**service_settings, "service_name": "auth"})
    backbone, parcels = joined(settings)
    with pytest.raises(RuntimeError, match="auth has no event bus"):
        _ = backbone.bus
    backbone.start()
    await backbone.wait_until_ready()

    await parcels.add(Parcel(id=(parcel_id := new_id())), told)

    document = await database["parcels"].find_one({"_id": parcel_id})
    assert document is not None
    assert len(document["outbox"]) == 1
    await backbone.stop()
