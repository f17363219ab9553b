"""The broker is killed and comes back: requests go on, nothing is lost, and the backlog drains."""

import asyncio
import os
from typing import Any

import pytest
from event_system import EventSystem
from traffic import DirectTickets, HttpTickets, flowing

from ticketing_testkit.apps import Identity, run_app
from ticketing_testkit.servers import NatsServer
from ticketing_tickets.app import create_app
from ticketing_tickets.settings import Settings

OUTAGE_SECONDS = float(os.environ.get("NATS_OUTAGE_SECONDS", "8"))
"""Seconds. A longer outage is an option, because every test run waits for it."""


async def test_a_broker_killed_under_load_and_restarted_loses_no_event(
    system: EventSystem, nats_server: NatsServer
) -> None:
    publisher = await system.publisher()
    await system.subscriber("orders")
    await system.subscriber("search")

    async with flowing(DirectTickets(publisher), system.ledger) as traffic:
        for _ in range(3):
            await traffic.more(80)
            nats_server.kill()
            await traffic.more(20)
            await asyncio.to_thread(nats_server.start)
        await traffic.more(80)

    await system.agree()
    assert not system.ledger.unpublished(await system.published_versions()), "the file store kept what was acknowledged"


@pytest.mark.timeout(300 + 3 * OUTAGE_SECONDS)
async def test_without_a_broker_requests_succeed_and_events_are_published_afterwards(
    system: EventSystem, nats_server: NatsServer, service_settings: dict[str, Any], identity: Identity
) -> None:
    database = system.settings("tickets").mongo_database
    settings = service_settings | {"mongo_database": database, "rate_limit_listings": "off"}
    app = create_app(Settings.model_validate(settings))
    await system.subscriber("orders")
    await system.subscriber("search")

    async with run_app(app) as client:
        async with flowing(HttpTickets(client, identity), system.ledger) as traffic:
            await traffic.more(50)
            nats_server.kill()
            before, held_up = len(system.ledger), 0
            for _ in range(int(OUTAGE_SECONDS)):
                seen = len(system.ledger)
                await asyncio.sleep(1)  # the outage itself
                held_up += len(system.ledger) == seen
            committed = len(system.ledger) - before
            assert held_up <= OUTAGE_SECONDS / 2, "a second without an answer is a blocked writer"
            assert (await system.outbox().stats()).pending >= committed - 50

            await asyncio.to_thread(nats_server.start)
            await traffic.more(50)

        await system.agree()
        assert not system.ledger.unpublished(await system.published_versions())
        assert app.state.runtime.missing() == []
    print(f"{committed} commits in {OUTAGE_SECONDS:.0f} s without a broker")  # noqa: T201 (shown with -s)
