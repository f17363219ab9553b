"""A steady stream of buyers, faster step by step, until something falls behind."""

from collections.abc import Mapping
from typing import Any, Final

from ticketing_bench.measurement import Finding

from .market import LoadedMarket, UnsettledError, hold

PEOPLE: Final = 200
ANSWERED_MS: Final = 1_000.0
CAUGHT_UP_SECONDS: Final = 2.0
"""Two samples take a tenth of that; a longer time means that a backlog had grown."""
SETTLE_SECONDS: Final = 120.0


async def measure_sustained(market: LoadedMarket) -> list[Finding]:
    """The highest rate at which every hold is answered within a second and every event is handled as it comes."""
    sizes, cores = market.sizes, market.cores
    people = await market.sign_in(PEOPLE)
    steps: dict[float, bool] = {}
    answers: dict[float, dict[str, Any]] = {}
    for rate in sizes.rates:
        tickets = await market.seed_tickets(int(rate * cores * sizes.step_seconds))
        requests = [hold(people[n % PEOPLE][1], ticket) for n, ticket in enumerate(tickets)]
        answer = await market.ask(
            "watch",
            port=market.port("orders"),
            probe={"rate": rate * cores, "requests": requests},
            seconds=len(requests) / (rate * cores),
            pids=market.pids,
        )
        behind = await market.settle(SETTLE_SECONDS)
        steps[rate] = (
            answer["statuses"] == {201: len(tickets)} and answer["p99"] < ANSWERED_MS and behind < CAUGHT_UP_SECONDS
        )
        answers[rate] = answer
        market.say(
            f"{rate:g} holds/s/core: {answer['statuses']}, p99 {answer['p99']:.0f} ms, drained in {behind:.1f} s; "
            f"{'kept up' if steps[rate] else 'fell behind'}"
        )
        if not steps[rate]:
            break
    await market.check()
    highest = highest_kept(steps)
    if highest == 0:
        raise UnsettledError(f"not even {sizes.rates[0]:g} holds/s/core were kept up with")
    return [
        Finding(
            part="sustained",
            name="holds with everything kept up",
            unit="1/s/core",
            rounds=(highest,),
            at_least=60,
            note=f"steps of {sizes.step_seconds:g} s: "
            + ", ".join(f"{rate:g} {'kept' if kept else 'fell behind'}" for rate, kept in steps.items()),
            cpu=answers[highest]["cpu"],
        ),
        Finding(part="sustained", name="answer at that rate, p99", unit="ms", rounds=(answers[highest]["p99"],)),
    ]


def highest_kept(steps: Mapping[float, bool]) -> float:
    """The highest rate up to which every step was kept up with; 0 when not even the first was."""
    highest = 0.0
    for rate in sorted(steps):
        if not steps[rate]:
            break
        highest = rate
    return highest
