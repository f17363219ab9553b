"""One hot listing against as many listings as it has seats, and the last seats of a sale."""

import random
from typing import Final

from ticketing_bench.measurement import Answer, Finding

from .burst import rush_findings
from .market import LoadedMarket, UnsettledError, hold

SEED: Final = 20_261_129


async def measure_arena(market: LoadedMarket) -> list[Finding]:
    """The ratio of committed holds per second, the time until all events are handled, and a rush on few seats.

    Both sides of the ratio are measured in turn on the same stack. Raises `UnsettledError` if a seat was sold twice or
    the audit finds a violation.
    """
    sizes, chance = market.sizes, random.Random(SEED)
    ratios: list[float] = []
    settled: list[float] = []
    rushes: list[Answer] = []
    for _ in range(sizes.rounds):
        people = [token for _, token in await market.sign_in(sizes.buyers)]
        many = await market.seed_tickets(sizes.buyers)
        (arena,) = await market.seed_tickets(1, quantity=sizes.seats)
        (small,) = await market.seed_tickets(1, quantity=sizes.last_seats)
        spread = await market.burst([hold(token, ticket) for token, ticket in zip(people, many, strict=True)])
        hot = await market.burst([hold(token, arena) for token in people])
        rush = await market.burst([hold(token, small, chance.randint(1, 4)) for token in people])
        await market.none_sold_twice([arena, small])
        await market.check()
        for name, answer in (("spread", spread), ("hot", hot)):
            if answer["statuses"] != {201: sizes.buyers}:
                raise UnsettledError(f"{name}: a buyer got no seat, though there were enough: {answer['statuses']}")
        ratios.append(spread["won_seconds"] / hot["won_seconds"])
        settled.append(hot["settled_seconds"])
        rushes.append(rush)
        market.say(
            f"{sizes.buyers:,} holds: {spread['won_seconds']:.2f} s on as many listings, {hot['won_seconds']:.2f} s on "
            f"one of {sizes.seats:,} seats, handled {settled[-1]:.1f} s after; last seats: {rush['statuses']}"
        )
    on = f"{sizes.buyers:,} buyers"
    return [
        Finding(
            part="arena",
            name=f"{on} on one listing of {sizes.seats:,} seats to as many listings: committed holds",
            unit="x",
            rounds=tuple(ratios),
            at_least=0.8,
            note="no seat held twice, the audit found nothing",
        ),
        Finding(
            part="arena",
            name=f"{on} on one listing: all events handled after the last hold",
            unit="s",
            rounds=tuple(settled),
        ),
        *rush_findings("arena", f"{on} of 1 to 4 seats on the last {sizes.last_seats:,}", rushes, market.cores),
    ]
