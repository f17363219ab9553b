"""The stream is transport and not the truth: what it has lost, and what a projection has lost, owners tell again."""

from commands import ticketing
from traffic import ServiceDoor, flowing
from world import World

from ticketing_common.events.subjects import TICKETS
from ticketing_tickets.domain import TicketDetails


async def test_a_purged_stream_and_a_dropped_projection_are_made_good_while_traffic_runs(
    world: World, nats_url: str
) -> None:
    publisher = await world.publisher()
    orders, search = await world.subscriber("orders"), await world.subscriber("search")
    door = ServiceDoor(publisher)
    for number in range(50):  # nobody touches these again: no later event tells of them
        world.ledger.note(await door.create(TicketDetails(title=f"Quiet {number}", price_cents=1_000)))
    quiet = set(world.ledger.newest)

    async with flowing(door, world.ledger) as traffic:
        await traffic.more(100)
        await world.observer.js.purge_stream(TICKETS)
        await orders.projection.collection.drop()
        await traffic.more(50)
        assert not quiet & (await orders.held()).keys(), "they are gone, or nothing is shown here"
        assert quiet <= (await search.held()).keys()

        assert "published again" in await ticketing("resync", "tickets", nats_url=nats_url)
        await traffic.more(50)

    await world.agree()


async def test_a_service_that_comes_later_than_the_stream_remembers_is_made_whole(world: World, nats_url: str) -> None:
    publisher = await world.publisher()
    async with flowing(ServiceDoor(publisher), world.ledger) as traffic:
        await traffic.more(100)
    await world.settle()
    await world.observer.js.purge_stream(TICKETS)

    newcomer = await world.subscriber("search")
    await world.settle()
    assert await newcomer.held() == {}

    await ticketing("resync", "tickets", nats_url=nats_url)
    await world.agree()
