"""Three brokers with three copies of everything: the leader of the stream is killed under load, and comes back."""

import asyncio
from collections.abc import AsyncIterator

import nats.errors
import nats.js.errors
import pytest
from nats.js.api import StreamInfo
from traffic import ServiceDoor, flowing
from world import World, until

from ticketing_common.events.subjects import TICKETS
from ticketing_testkit.apps import Identity, service_settings_for
from ticketing_testkit.servers import NatsCluster


@pytest.fixture
async def world(
    mongo_url: str, database_name: str, nats_cluster: NatsCluster, identity: Identity, short_waits: None
) -> AsyncIterator[World]:
    """On three brokers."""
    url = nats_cluster.url
    settings = service_settings_for(mongo_url=mongo_url, database=database_name, nats_url=url, identity=identity)
    async with World.made(settings, nats_url=url, replicas=3) as made:
        yield made


async def tickets_stream(world: World) -> StreamInfo | None:
    """As the brokers tell of it; None while they choose a leader."""
    try:
        info: StreamInfo = await world.observer.js.stream_info(TICKETS)
    except (nats.errors.Error, nats.js.errors.Error, TimeoutError):
        return None
    return info if info.cluster and info.cluster.leader else None


async def replicated(world: World, durable: str) -> bool:
    """Whether stream and consumer live on three nodes, all of them up to date."""
    consumer = await world.observer.js.consumer_info(TICKETS, durable)
    infos = (await tickets_stream(world), consumer)
    return all(
        info is not None
        and info.config.num_replicas == 3
        and info.cluster is not None
        and [peer.current for peer in info.cluster.replicas or []] == [True, True]
        for info in infos
    )


async def test_when_the_leader_is_killed_under_load_all_is_told_and_held(
    world: World, nats_cluster: NatsCluster
) -> None:
    publisher = await world.publisher()
    subscribers = [await world.subscriber("orders"), await world.subscriber("orders"), await world.subscriber("search")]
    durable = subscribers[0].durable

    async with flowing(ServiceDoor(publisher), world.ledger) as traffic:
        for _ in range(2):
            await traffic.more(100)
            before = await tickets_stream(world)
            assert before is not None
            assert before.cluster is not None
            leader = nats_cluster.node(str(before.cluster.leader))
            leader.kill()

            async def others_go_on(before: StreamInfo = before, gone: str = leader.node) -> bool:
                now = await tickets_stream(world)
                if now is None or now.cluster is None or now.cluster.leader == gone:
                    return False
                return now.state.messages > before.state.messages

            await until(others_go_on)
            await traffic.more(100)
            await asyncio.to_thread(leader.start)  # ready once it has caught up
        await traffic.more(100)

    await world.agree()
    assert not world.ledger.untold(await world.told())

    async def whole_again() -> bool:
        return await replicated(world, durable)

    await until(whole_again)
