"""What it costs to refuse a hold of a seat that is taken, against a bare route that answers with the same bytes."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

import httpx

from ticketing_bench.measurement import Finding, InvalidRunError
from ticketing_bench.seed_data import known_tickets
from ticketing_bench.wire import http_request
from ticketing_common.entity import new_id
from ticketing_testkit.servers import running_together

from .rounds import Bench

TAKEN_SECONDS: Final = 4.0
"""How long the seat has been taken when the first is refused: longer than memory counts as fresh without events, and
than events count as missing after a connection."""

SEEN_SECONDS: Final = 60.0


def measure_refusing(bench: Bench, buyers: int) -> list[Finding]:
    """So many buyers want one seat: buyers whom the replica has seen before, and then new ones, all at once."""
    deployment = bench.deployment
    (ticket,) = asyncio.run(known_tickets(deployment.urls["mongo_url"], "orders", 1))

    def hold(path: str) -> str:
        return http_request("POST", path, token=deployment.token(new_id()), body={"ticketId": ticket})

    def fixed(path: str) -> Callable[[], Sequence[str]]:
        requests = [hold(path) for _ in range(buyers)]
        return lambda: requests

    def new(path: str) -> Callable[[], Sequence[str]]:
        return lambda: [hold(path) for _ in range(buyers)]

    service = deployment.service("orders")
    with running_together(service):
        baseline = deployment.baseline(_refusal(service.url, ticket, *(deployment.token(new_id()) for _ in range(2))))
        with running_together(baseline):
            time.sleep(TAKEN_SECONDS)
            seen = fixed("/api/orders")
            # Every token is checked once before the first round.
            bench.asked("the service", service, seen, expected=409, once=True).measure(SEEN_SECONDS)
            return [
                *bench.compare_costs(
                    "POST /api/orders, refused",
                    bench.asked("the service", service, seen, expected=409),
                    bench.asked("bare route, same bytes", baseline, fixed("/refused"), expected=409),
                    at_least=0.5,
                    note=f"The only seat was taken {TAKEN_SECONDS:g} s ago; {buyers:,} buyers in turn, again and again",
                ),
                *bench.compare_costs(
                    "POST /api/orders, refused, new buyers",
                    bench.asked("the service", service, new("/api/orders"), expected=409, once=True, at_once=buyers),
                    bench.asked("bare route", baseline, new("/refused"), expected=409, once=True, at_once=buyers),
                    at_least=0.5,
                    note=f"{buyers:,} buyers at once, each with a token that the replica has not seen before",
                ),
            ]


def _refusal(url: str, ticket: str, *tokens: str) -> bytes:
    """Let the first buyer take the seat; returns the body with which the second is refused."""
    answers = [
        httpx.post(f"{url}/api/orders", json={"ticketId": ticket}, headers={"Authorization": f"Bearer {token}"})
        for token in tokens
    ]
    if [answer.status_code for answer in answers] != [201, 409]:
        raise InvalidRunError(f"one of two buyers was to be refused: {[answer.text for answer in answers]}")
    return answers[1].content
