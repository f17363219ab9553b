"""One hot listing against as many listings as it has seats, and the last seats of a sale."""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any, Final

import psutil

from ticketing_bench.measurement import Finding
from ticketing_bench.wire import http_request
from ticketing_bench.worker import Worker

from .market import LoadedMarket, UnsettledError
from .sizes import Sizes

__all__ = ["measure_arena"]

SEED: Final = 20_261_129
SETTLE_SECONDS: Final = 180.0


async def measure_arena(
    market: LoadedMarket, generator: Worker, sizes: Sizes, say: Callable[[str], None]
) -> list[Finding]:
    """The ratio of committed holds per second, how soon all is told, and a rush on few seats.

    Both sides of the ratio are asked in turn, on the same stack. Raises `UnsettledError` if a seat was sold twice or
    the audit finds a thing.
    """
    cores, chance = psutil.cpu_count() or 1, random.Random(SEED)
    ratios, told, rushes = list[float](), list[float](), list[dict[str, Any]]()
    for _ in range(sizes.rounds):
        people = [token for _, token in await market.sign_in(sizes.buyers)]
        many = await market.seed_tickets(sizes.buyers)
        (arena,) = await market.seed_tickets(1, quantity=sizes.seats)
        (small,) = await market.seed_tickets(1, quantity=sizes.last_seats)

        async def hold(requests: Sequence[str]) -> dict[str, Any]:
            answer: dict[str, Any] = await asyncio.to_thread(
                generator.ask, "burst", port=market.port("orders"), requests=requests, pids=market.pids
            )
            answer["told_seconds"] = await market.settle(SETTLE_SECONDS)
            return answer

        spread = await hold([_hold(token, ticket) for token, ticket in zip(people, many, strict=True)])
        hot = await hold([_hold(token, arena) for token in people])
        rush = await hold([_hold(token, small, chance.randint(1, 4)) for token in people])
        await market.none_sold_twice([arena, small])
        await market.check()
        for name, answer in (("spread", spread), ("hot", hot)):
            if answer["statuses"] != {"201": sizes.buyers}:
                raise UnsettledError(
                    f"{name}: not everybody got a seat, though there were enough: {answer['statuses']}"
                )
        ratios.append(spread["won_seconds"] / hot["won_seconds"])
        told.append(hot["told_seconds"])
        rushes.append(rush)
        say(
            f"{sizes.buyers:,} holds: {spread['won_seconds']:.2f} s on as many listings, {hot['won_seconds']:.2f} s on "
            f"one of {sizes.seats:,} seats, all told {told[-1]:.1f} s after; last seats: {rush['statuses']}"
        )
    on = f"{sizes.buyers:,} buyers"
    last = f"{on} of 1 to 4 seats on the last {sizes.last_seats:,}"
    return [
        Finding(
            part="arena",
            name=f"{on} on one listing of {sizes.seats:,} seats to as many listings: committed holds",
            unit="x",
            rounds=tuple(ratios),
            at_least=0.8,
            note="no seat held twice, the audit found nothing",
        ),
        Finding(part="arena", name=f"{on} on one listing: all told after the last hold", unit="s", rounds=tuple(told)),
        Finding(
            part="arena",
            name=f"{last}: committed holds",
            unit="1/s/core",
            rounds=tuple(one["statuses"].get("201", 0) / one["won_seconds"] / cores for one in rushes),
            note=f"answers of the last round {rushes[-1]['statuses']}",
            cpu=rushes[-1]["cpu"],
        ),
        Finding(
            part="arena",
            name=f"{last}: losers told, p99",
            unit="ms",
            rounds=tuple(one["lost_p99_ms"] for one in rushes),
            note=f"median loser {rushes[-1]['lost_p50_ms']:.0f} ms, from the first try on",
        ),
    ]


def _hold(token: str, ticket_id: str, quantity: int = 1) -> str:
    return http_request("POST", "/api/orders", token=token, body={"ticketId": ticket_id, "quantity": quantity})
