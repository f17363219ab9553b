"""A burst of concurrent buyers: rate of holds, latency of the refusals, and a check that no ticket is held twice."""

import random
from collections.abc import Sequence
from typing import Final

from ticketing_bench.measurement import Answer, Finding

from .market import LoadedMarket, hold

SEED: Final = 20_261_124


async def measure_burst(market: LoadedMarket) -> list[Finding]:
    """Holds per second and core, and the losers' latency; raises `UnsettledError` if the audit finds a violation."""
    chance, sizes = random.Random(SEED), market.sizes
    findings = []
    for count in sizes.burst_tickets:
        answers: list[Answer] = []
        for _ in range(sizes.rounds):
            tickets = await market.seed_tickets(count)
            people = await market.sign_in(sizes.buyers)
            answer = await market.burst([hold(token, chance.choice(tickets)) for _, token in people])
            await market.none_sold_twice(tickets)
            await market.check()
            answers.append(answer)
            market.say(f"burst on {count:,} tickets: {answer['statuses']}, won within {answer['won_seconds']:.1f} s")
        on = f"{sizes.buyers:,} buyers on {count:,} tickets"
        findings += rush_findings("burst", on, answers, market.cores, at_least=130, below=250)
    return findings


def rush_findings(
    part: str,
    on: str,
    answers: Sequence[Answer],
    cores: int,
    *,
    at_least: float | None = None,
    below: float | None = None,
) -> list[Finding]:
    """The committed holds per second and core, and the latency of a refusal; with the budget of each."""
    last = answers[-1]
    return [
        Finding(
            part=part,
            name=f"{on}: committed holds",
            unit="1/s/core",
            rounds=tuple(one["statuses"].get(201, 0) / one["won_seconds"] / cores for one in answers),
            at_least=at_least,
            note=(
                f"answers of the last round {last['statuses']}, retried {last['again']} times; no seat held twice, the "
                "audit found nothing"
            ),
            cpu=last["cpu"],
        ),
        Finding(
            part=part,
            name=f"{on}: losers refused, p99",
            unit="ms",
            rounds=tuple(one["lost_p99_ms"] for one in answers),
            below=below,
            note=f"median loser {last['lost_p50_ms']:.0f} ms, from the first try on",
        ),
    ]
