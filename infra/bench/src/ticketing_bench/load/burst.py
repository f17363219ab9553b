"""A burst of concurrent buyers: rate of holds, latency of the refusals, and a check that no ticket is held twice."""

import random
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
        on, last = f"{sizes.buyers:,} buyers on {count:,} tickets", answers[-1]
        findings += [
            Finding(
                part="burst",
                name=f"{on}: committed holds",
                unit="1/s/core",
                rounds=tuple(one["statuses"].get(201, 0) / one["won_seconds"] / market.cores for one in answers),
                at_least=130,
                note=(
                    f"answers of the last round {last['statuses']}, retried {last['again']} times; no seat held twice, "
                    "the audit found nothing"
                ),
                cpu=last["cpu"],
            ),
            Finding(
                part="burst",
                name=f"{on}: losers refused, p99",
                unit="ms",
                rounds=tuple(one["lost_p99_ms"] for one in answers),
                below=250,
                note=f"median loser {last['lost_p50_ms']:.0f} ms, from the first try on",
            ),
        ]
    return findings
