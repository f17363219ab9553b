"""The stream is transport, not the source of truth: owners publish again what a stream or a projection has lost."""

from commands import ticketing
from event_system import EventSystem
from traffic import DirectTickets, flowing

from ticketing_common.topology import TICKETS
from ticketing_tickets.domain import TicketDetails


async def test_resync_repairs_a_purged_stream_and_a_dropped_projection_under_traffic(
    system: EventSystem, nats_url: str
) -> None:
    publisher = await system.publisher()
    orders, search = await system.subscriber("orders"), await system.subscriber("search")
    tickets = DirectTickets(publisher)
    for number in range(50):  # not changed again, so no later event contains them
        system.ledger.note(await tickets.create(TicketDetails(title=f"Quiet {number}", price_cents=1_000)))
    quiet = set(system.ledger.newest)

    async with flowing(tickets, system.ledger) as traffic:
        await traffic.more(100)
        await system.observer.js.purge_stream(TICKETS)
        await orders.projection.collection.drop()
        await traffic.more(50)
        assert not quiet & (await orders.held()).keys(), "the test proves nothing if the projection still has them"
        assert quiet <= (await search.held()).keys()

        assert "published again" in await ticketing("resync", "tickets", nats_url=nats_url)
        await traffic.more(50)

    await system.agree()
