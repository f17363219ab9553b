"""Slow and deleted consumers: every event is handled, and none is delivered to two replicas at once."""

import asyncio
from collections import Counter

from event_system import EventSystem
from traffic import DirectTickets, flowing

from ticketing_common.events import TicketEvent
from ticketing_common.topology import TICKETS
from ticketing_testkit.waiting import until
from ticketing_tickets.domain import TicketDetails

ACK_WAIT_SECONDS = 2.0
SLOW_SECONDS = 2.5 * ACK_WAIT_SECONDS
SLOW = "Slow to handle"


async def test_a_slow_event_is_handled_once_while_others_continue(system: EventSystem) -> None:
    publisher = await system.publisher()
    begun: Counter[str] = Counter()
    overtaken = 0

    async def take_time(event: TicketEvent) -> None:
        nonlocal overtaken
        if event.data.title != SLOW:
            overtaken += bool(begun)
            return
        begun[event.data.id] += 1
        await asyncio.sleep(SLOW_SECONDS)

    for _ in range(2):  # the broker would redeliver to the second after `ack_wait`
        await system.subscriber("orders", ack_wait_seconds=ACK_WAIT_SECONDS, before=take_time)
    await system.subscriber("search")
    tickets = DirectTickets(publisher)

    async with flowing(tickets, system.ledger) as traffic:
        slow = [await tickets.create(TicketDetails(title=SLOW, price_cents=price)) for price in range(101, 106)]
        for state in slow:
            system.ledger.note(state)
        await traffic.more(150)

    await system.agree()
    assert begun == {state.id: 1 for state in slow}
    assert overtaken > 0
    handled = [one for subscriber in system.subscribers["orders"] for one in subscriber.handled]
    assert sorted(handled) == sorted(system.ledger.versions), "each version once, by one of the two"


async def test_a_consumer_deleted_under_traffic_is_created_again(system: EventSystem) -> None:
    publisher = await system.publisher()
    subscribers = [
        await system.subscriber("orders"),
        await system.subscriber("orders"),
        await system.subscriber("search"),
    ]

    async with flowing(DirectTickets(publisher), system.ledger) as traffic:
        await traffic.more(80)
        for durable in {subscriber.durable for subscriber in subscribers}:
            await system.observer.js.delete_consumer(TICKETS, durable)
        before = [len(subscriber.handled) for subscriber in subscribers]
        await traffic.more(80)

        async def all_go_on() -> bool:
            return all(len(subscriber.handled) > count for subscriber, count in zip(subscribers, before, strict=True))

        await until(all_go_on)
        await traffic.more(40)

    await system.agree()
    assert all(subscriber.runtime.missing() == [] for subscriber in subscribers)
