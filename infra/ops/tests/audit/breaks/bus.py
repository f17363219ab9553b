"""Violations on the event bus."""

import json
from collections.abc import Awaitable, Callable

from nats.js import JetStreamContext

from ticketing_testkit.waiting import until

BreakBus = Callable[[JetStreamContext], Awaitable[object]]

LETTER = {
    "consumer": "tickets-orders",
    "stream": "ORDERS",
    "sequence": 7,
    "subject": "order.created.0123456789abcdef01234567",
    "headers": {},
    "body": "{}",
    "error": "ValueError: no",
    "stack": "",
    "attempts": 10,
    "at": "2026-01-01T00:00:00Z",
}
ADVISORY = {
    "type": "io.nats.jetstream.advisory.v1.max_deliver",
    "stream": "ORDERS",
    "consumer": "tickets-orders",
    "stream_seq": 3,
    "deliveries": 1000,
    "timestamp": "2026-01-01T00:00:00Z",
}


async def a_dead_letter(js: JetStreamContext) -> object:
    return await js.publish("dead_letters.tickets-orders", json.dumps(LETTER).encode())


async def an_advisory(js: JetStreamContext, **fields: object) -> object:
    subject = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.ORDERS.tickets-orders"
    await js._nc.publish(subject, json.dumps({**ADVISORY, **fields}).encode())

    async def arrived() -> bool:
        return bool((await js.stream_info("ADVISORIES")).state.messages)

    await until(arrived)
    return None


async def a_lost_consumer(js: JetStreamContext) -> object:
    return await js.delete_consumer("ORDERS", "expiration-orders")


async def a_lost_stream(js: JetStreamContext) -> object:
    return await js.delete_stream("EXPIRATIONS")


async def an_event_without_acknowledgement(js: JetStreamContext) -> object:
    return await js.publish("ticket.created.0123456789abcdef01234567", b"{}")


BUS_BREAKS: list[tuple[str, BreakBus]] = [
    ("dead_letter", a_dead_letter),
    ("deliveries_exhausted", an_advisory),
    ("consumer_missing", a_lost_consumer),
    ("consumer_missing", a_lost_stream),
    ("consumer_stuck", an_event_without_acknowledgement),
]
