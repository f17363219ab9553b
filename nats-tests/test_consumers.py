"""Consumers that are slow, or gone: every event is handled, and none is given to two at once."""

import asyncio
from collections import Counter

from traffic import ServiceDoor, flowing
from world import World, until

from ticketing_common.events import TicketEvent
from ticketing_common.events.subjects import TICKETS
from ticketing_tickets.domain import TicketDetails

ACK_WAIT_SECONDS = 2.0
SLOW_SECONDS = 2.5 * ACK_WAIT_SECONDS
SLOW = "Slow to take in"


async def test_slow_work_is_done_once_while_the_others_go_on(world: World) -> None:
    publisher = await world.publisher()
    begun: Counter[str] = Counter()
    overtaken = 0

    async def take_time(event: TicketEvent) -> None:
        nonlocal overtaken
        if event.data.title != SLOW:
            overtaken += bool(begun)
            return
        begun[event.data.id] += 1
        await asyncio.sleep(SLOW_SECONDS)

    for _ in range(2):  # to whom the broker would give it after `ack_wait`
        await world.subscriber("orders", ack_wait_seconds=ACK_WAIT_SECONDS, before=take_time)
    await world.subscriber("search")
    door = ServiceDoor(publisher)

    async with flowing(door, world.ledger) as traffic:
        slow = [await door.create(TicketDetails(title=SLOW, price_cents=price)) for price in range(101, 106)]
        for state in slow:
            world.ledger.note(state)
        await traffic.more(150)

    await world.agree()
    assert begun == {state.id: 1 for state in slow}
    assert overtaken > 0
    handled = [one for subscriber in world.subscribers["orders"] for one in subscriber.handled]
    assert sorted(handled) == sorted(world.ledger.versions), "each version once, by one of the two"


async def test_a_consumer_that_is_deleted_under_traffic_begins_again(world: World) -> None:
    publisher = await world.publisher()
    subscribers = [await world.subscriber("orders"), await world.subscriber("orders"), await world.subscriber("search")]

    async with flowing(ServiceDoor(publisher), world.ledger) as traffic:
        await traffic.more(80)
        for durable in {subscriber.durable for subscriber in subscribers}:
            await world.observer.js.delete_consumer(TICKETS, durable)
        before = [len(subscriber.handled) for subscriber in subscribers]
        await traffic.more(80)

        async def all_go_on() -> bool:
            return all(len(subscriber.handled) > count for subscriber, count in zip(subscribers, before, strict=True))

        await until(all_go_on)
        await traffic.more(40)

    await world.agree()
    assert all(subscriber.runtime.missing() == [] for subscriber in subscribers)
