"""What a hold costs, over HTTP, against the same reads and writes from a bare route."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from typing import Final

from ticketing_bench.measurement import Finding
from ticketing_bench.seed_data import known_tickets
from ticketing_bench.wire import http_request
from ticketing_common.entity import new_id
from ticketing_testkit.servers import running_together

from .rounds import Bench
from .serving import BASELINE

BUYERS: Final = 50
MOST_PER_SECOND: Final = 3_000
"""More than any machine of today decides; so many tickets are at hand."""


def measure_holding(bench: Bench) -> list[Finding]:
    """Every request holds a different ticket, so that every request is a write."""
    deployment = bench.deployment
    mongo_url = deployment.urls["mongo_url"]
    count = int(MOST_PER_SECOND * bench.seconds)
    buyers = [deployment.token(new_id()) for _ in range(BUYERS)]

    def holds(database: str, path: str, tokens: Sequence[str | None]) -> Callable[[], Sequence[str]]:
        def make() -> list[str]:
            tickets = asyncio.run(known_tickets(mongo_url, database, count))
            return [
                http_request("POST", path, token=token, body={"ticketId": ticket})
                for ticket, token in zip(tickets, itertools.cycle(tokens), strict=False)
            ]

        return make

    service, baseline = deployment.service("orders"), deployment.baseline()
    with running_together(service, baseline):
        return bench.compare_costs(
            "POST /api/orders",
            bench.asked("the service", service, holds("orders", "/api/orders", buyers), expected=201, once=True),
            bench.asked("bare route", baseline, holds(BASELINE, "/orders", [None]), expected=201, once=True),
            at_least=0.5,
            note=(
                "Each hold reads its ticket and inserts the order with its event, and the event is removed afterwards. "
                "Only the service also publishes it and reads it again for its streams. No Idempotency-Key"
            ),
        )
