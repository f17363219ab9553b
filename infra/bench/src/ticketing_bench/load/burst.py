"""A burst of concurrent buyers: rate of holds, latency of the refusals, and a check that no ticket is held twice."""

import asyncio
import random
from collections.abc import Callable
from typing import Any, Final

import psutil

from ticketing_bench.measurement import Finding
from ticketing_bench.wire import http_request
from ticketing_bench.worker import Worker

from .market import LoadedMarket
from .sizes import Sizes

__all__ = ["measure_burst"]

SEED: Final = 20_261_124
SETTLE_SECONDS: Final = 180.0


async def measure_burst(
    market: LoadedMarket, generator: Worker, sizes: Sizes, say: Callable[[str], None]
) -> list[Finding]:
    """Holds per second and core, and the losers' latency; raises `UnsettledError` if the audit finds a violation."""
    cores, chance = psutil.cpu_count() or 1, random.Random(SEED)
    findings = []
    for count in sizes.burst_tickets:
        answers: list[dict[str, Any]] = []
        for _ in range(sizes.rounds):
            tickets = await market.seed_tickets(count)
            people = await market.sign_in(sizes.buyers)
            requests = [
                http_request("POST", "/api/orders", token=token, body={"ticketId": chance.choice(tickets)})
                for _, token in people
            ]
            answer = await asyncio.to_thread(
                generator.ask, "burst", port=market.port("orders"), requests=requests, pids=market.pids
            )
            await market.settle(SETTLE_SECONDS)
            await market.none_sold_twice(tickets)
            await market.check()
            answers.append(answer)
            say(f"burst on {count:,} tickets: {answer['statuses']}, won within {answer['won_seconds']:.1f} s")
        on = f"{sizes.buyers:,} buyers on {count:,} tickets"
        won = [answer["statuses"].get("201", 0) for answer in answers]
        note = f"answers of the last round {answers[-1]['statuses']}, told to come again {answers[-1]['again']} times"
        findings += [
            Finding(
                part="burst",
                name=f"{on}: committed holds",
                unit="1/s/core",
                rounds=tuple(n / answer["won_seconds"] / cores for n, answer in zip(won, answers, strict=True)),
                at_least=130,
                note=note + "; none held twice, the audit found nothing",
                cpu=answers[-1]["cpu"],
            ),
            Finding(
                part="burst",
                name=f"{on}: losers told, p99",
                unit="ms",
                rounds=tuple(answer["lost_p99_ms"] for answer in answers),
                below=250,
                note=f"median loser {answers[-1]['lost_p50_ms']:.0f} ms, from the first try on",
            ),
        ]
    return findings
