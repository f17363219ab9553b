import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from nats.aio.msg import Msg

from ticketing_common.delivery import ServiceRuntime
from ticketing_common.delivery.resync import resync_subject
from ticketing_common.events import ExpirationCompleted
from ticketing_common.messaging import NatsConnection
from ticketing_common.settings import EventServiceSettings
from ticketing_common.storage import Repository
from ticketing_common.topology import EXPIRATIONS
from ticketing_testkit.apps import Bus

from .conftest import Parcel, to_event


@pytest.fixture
async def parcels(service_settings: dict[str, object], bus: Bus) -> AsyncIterator[Repository[Parcel]]:
    """The repository of a running service with resync enabled."""
    settings = EventServiceSettings.model_validate({**service_settings, "service_name": "parcels"})
    runtime = ServiceRuntime(settings, publishes=EXPIRATIONS)
    repository = Repository(runtime.outbox("parcels"), Parcel)
    runtime.add_stores(repository)
    runtime.enable_resync(repository, to_event)
    runtime.start()
    await runtime.wait_until_ready()
    yield repository
    await runtime.stop()


async def ask(connection: NatsConnection) -> dict[str, object]:
    """Request a resync and wait for its final report."""
    reports: asyncio.Queue[Msg] = asyncio.Queue()
    inbox = connection.client.new_inbox()
    subscription = await connection.client.subscribe(inbox, cb=reports.put)
    await connection.client.publish(resync_subject("parcels"), b"", reply=inbox)
    async with asyncio.timeout(30):
        while True:
            report: dict[str, object] = json.loads((await reports.get()).data)
            if report["done"]:
                await subscription.unsubscribe()
                return report


async def test_a_resync_republishes_every_aggregate_at_its_current_version(
    parcels: Repository[Parcel], connection: NatsConnection, bus: Bus
) -> None:
    made = [Parcel(label=str(number)) for number in range(5)]
    for parcel in made:
        await parcels.add(parcel, to_event)
    await parcels.update(made[0].id, lambda _parcel: to_event)
    await bus.expect(ExpirationCompleted, lambda event: event.data.version == 2)
    await bus.js.purge_stream(EXPIRATIONS)  # the bus has lost it all

    assert await ask(connection) == {"done": True, "restated": 5}

    for parcel in made:
        event = await bus.expect(ExpirationCompleted, lambda event, parcel=parcel: event.data.id == parcel.id)  # type: ignore[misc]  # bound at once
        assert event.data.version == (2 if parcel is made[0] else 1)
    assert (await parcels.get(made[0].id)).version == 2


async def test_a_resync_of_nothing_is_done_at_once(parcels: Repository[Parcel], connection: NatsConnection) -> None:
    assert await ask(connection) == {"done": True, "restated": 0}


async def test_an_aggregate_that_cannot_be_read_or_published_does_not_stop_the_others(
    parcels: Repository[Parcel], connection: NatsConnection, bus: Bus
) -> None:
    made = [Parcel(label=str(number)) for number in range(4)]
    for parcel in made:
        await parcels.add(parcel, to_event)
        await bus.expect(ExpirationCompleted, lambda event, parcel=parcel: event.data.id == parcel.id)  # type: ignore[misc]  # bound at once
    await bus.js.purge_stream(EXPIRATIONS)
    await parcels.collection.update_one({"_id": made[0].id}, {"$set": {"created_at": "no time"}})  # cannot be read
    await parcels.collection.update_one({"_id": made[1].id}, {"$set": {"version": -1}})  # no event can be made of it

    report = await ask(connection)

    assert (report["restated"], report["error"]) == (2, "2 left out, see the service's log")
    for parcel in made[2:]:
        await bus.expect(ExpirationCompleted, lambda event, parcel=parcel: event.data.id == parcel.id)  # type: ignore[misc]  # bound at once
