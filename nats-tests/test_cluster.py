"""Three brokers with three copies of each stream: the stream leader is killed under load and started again."""

import asyncio
from collections.abc import AsyncIterator

import nats.errors
import nats.js.errors
import pytest
from event_system import EventSystem
from nats.js.api import StreamInfo
from traffic import DirectTickets, flowing

from ticketing_common.topology import TICKETS
from ticketing_testkit.apps import Identity, service_settings_for
from ticketing_testkit.servers import NatsCluster
from ticketing_testkit.waiting import until


@pytest.fixture
async def system(
    mongo_url: str, database_name: str, nats_cluster: NatsCluster, identity: Identity, short_waits: None
) -> AsyncIterator[EventSystem]:
    """A system on three brokers."""
    url = nats_cluster.url
    settings = service_settings_for(mongo_url=mongo_url, database=database_name, nats_url=url, identity=identity)
    async with EventSystem.made(settings, nats_url=url, replicas=3) as made:
        yield made


async def tickets_stream(system: EventSystem) -> StreamInfo | None:
    """The stream's information from the brokers; None while they elect a leader."""
    try:
        info: StreamInfo = await system.observer.js.stream_info(TICKETS)
    except (nats.errors.Error, nats.js.errors.Error, TimeoutError):
        return None
    return info if info.cluster and info.cluster.leader else None


async def replicated(system: EventSystem, durable: str) -> bool:
    """Whether stream and consumer have three replicas, all of them current."""
    consumer = await system.observer.js.consumer_info(TICKETS, durable)
    infos = (await tickets_stream(system), consumer)
    return all(
        info is not None
        and info.config.num_replicas == 3
        and info.cluster is not None
        and [peer.current for peer in info.cluster.replicas or []] == [True, True]
        for info in infos
    )


async def test_when_the_leader_is_killed_under_load_no_event_is_lost(
    system: EventSystem, nats_cluster: NatsCluster
) -> None:
    publisher = await system.publisher()
    subscribers = [
        await system.subscriber("orders"),
        await system.subscriber("orders"),
        await system.subscriber("search"),
    ]
    durable = subscribers[0].durable

    async with flowing(DirectTickets(publisher), system.ledger) as traffic:
        for _ in range(2):
            await traffic.more(100)
            before = await tickets_stream(system)
            assert before is not None
            assert before.cluster is not None
            leader = nats_cluster.node(str(before.cluster.leader))
            leader.kill()

            async def others_go_on(before: StreamInfo = before, gone: str = leader.node) -> bool:
                now = await tickets_stream(system)
                if now is None or now.cluster is None or now.cluster.leader == gone:
                    return False
                return now.state.messages > before.state.messages

            await until(others_go_on)
            await traffic.more(100)
            await asyncio.to_thread(leader.start)  # ready once it has caught up
        await traffic.more(100)

    await system.agree()
    assert not system.ledger.unpublished(await system.published_versions())

    async def whole_again() -> bool:
        return await replicated(system, durable)

    await until(whole_again)
