"""The broker is killed and comes back: requests go on, nothing is lost, and the backlog drains."""

import asyncio
import os
from typing import Any

import pytest
from traffic import HttpDoor, ServiceDoor, flowing
from world import World

from ticketing_testkit.apps import Identity, run_app
from ticketing_testkit.servers import NatsServer
from ticketing_tickets.app import create_app
from ticketing_tickets.settings import Settings

OUTAGE_SECONDS = float(os.environ.get("NATS_OUTAGE_SECONDS", "8"))
"""A minute when it matters, less where everybody waits for it."""


async def test_a_broker_that_is_killed_under_load_and_restarted_has_lost_nothing(
    world: World, nats_server: NatsServer
) -> None:
    publisher = await world.publisher()
    await world.subscriber("orders")
    await world.subscriber("search")

    async with flowing(ServiceDoor(publisher), world.ledger) as traffic:
        for _ in range(3):
            await traffic.more(80)
            nats_server.kill()
            await traffic.more(20)
            await asyncio.to_thread(nats_server.start)
        await traffic.more(80)

    await world.agree()
    assert not world.ledger.untold(await world.told()), "the file store kept what was acknowledged"


@pytest.mark.timeout(300 + 3 * OUTAGE_SECONDS)
async def test_while_the_broker_is_away_requests_are_answered_and_afterwards_all_is_told(
    world: World, nats_server: NatsServer, service_settings: dict[str, Any], identity: Identity
) -> None:
    database = world.settings("tickets").mongo_database
    settings = service_settings | {"mongo_database": database, "rate_limit_listings": "off"}
    app = create_app(Settings.model_validate(settings))
    await world.subscriber("orders")
    await world.subscriber("search")

    async with run_app(app) as client:
        async with flowing(HttpDoor(client, identity), world.ledger) as traffic:
            await traffic.more(50)
            nats_server.kill()
            before, held_up = len(world.ledger), 0
            for _ in range(int(OUTAGE_SECONDS)):
                seen = len(world.ledger)
                await asyncio.sleep(1)  # the outage itself
                held_up += len(world.ledger) == seen
            committed = len(world.ledger) - before
            assert held_up <= OUTAGE_SECONDS / 2, "a second without a single answer is a held-up writer"
            assert (await world.outbox().stats()).pending >= committed - 50

            await asyncio.to_thread(nats_server.start)
            await traffic.more(50)

        await world.agree()
        assert not world.ledger.untold(await world.told())
        assert app.state.runtime.missing() == []
    print(f"{committed} commits in {OUTAGE_SECONDS:.0f} s without a broker")  # noqa: T201 (for whoever asks with -s)
