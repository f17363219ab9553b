"""Single operations in number: the rate, and the CPU time of each until every event is handled."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ticketing_bench.cpu_time import CpuTime
from ticketing_bench.measurement import Answer

from .market import LoadedMarket, UnsettledError

PATIENCE_SECONDS: Final = 120.0
SAMPLE_SECONDS: Final = 0.05


async def ask_each(
    market: LoadedMarket,
    ports: Sequence[int],
    requests: Sequence[str],
    *,
    expected: int,
    at_once: int,
    pids: Mapping[str, int] | None = None,
) -> Answer:
    """Send each request once, so many at once. Raises `UnsettledError` when a status is not the expected one."""
    pids = pids or market.pids
    processors = CpuTime("bench", pids)
    answer = await market.ask(
        "flood",
        port=ports[0],
        other_ports=ports[1:],
        requests=requests,
        connections=min(at_once, len(requests)),
        seconds=PATIENCE_SECONDS,
        once=True,
        pids=pids,
    )
    await market.settle(PATIENCE_SECONDS)
    if answer["statuses"] != {expected: len(requests)}:
        raise UnsettledError(f"instead of {expected} the responses were {answer['statuses']}")
    return {"rate": answer["rate"], "cpu": answer["cpu"], **_each(processors, len(requests))}


async def buy(
    market: LoadedMarket, ports: Sequence[int], *, at_once: int, pids: Mapping[str, int] | None = None
) -> Answer:
    """`buys` buyers hold and pay, so many at once; the rate is of captured payments.

    `cpu_ms` includes what follows the capture: the ticket is sold everywhere, and the mails are requested. Mails that
    are delivered later count in part only.
    """
    pids, count = pids or market.pids, market.sizes.buys
    tickets = await market.seed_tickets(count)
    people = await market.sign_in(count)
    processors = CpuTime("bench", pids)
    answer = await market.ask(
        "buy",
        orders_ports=ports,
        payments_port=market.port("payments"),
        buys=[(token, ticket) for (_, token), ticket in zip(people, tickets, strict=True)],
        at_once=min(at_once, count),
        pids=pids,
    )
    if set(answer["statuses"]) != {"hold 201", "pay 201"}:
        raise UnsettledError(f"not every buyer could buy: {answer['statuses']}")
    elapsed = await _all_captured(market, [person for person, _ in people]) - answer["begun"]
    await market.settle(PATIENCE_SECONDS)
    return {"rate": count / elapsed, "cpu": answer["cpu"], **_each(processors, count)}


def by_process(answers: Sequence[Answer]) -> str:
    """The CPU milliseconds of each process in the last round, for a note."""
    last: Mapping[str, float] = answers[-1]["by_process"]
    return ", ".join(f"{name} {each:.1f}" for name, each in last.items() if each >= 0.1)


def _each(processors: CpuTime, count: int) -> dict[str, Any]:
    """The CPU time of one operation in milliseconds: of all processes together, and by process."""
    each = processors.each_ms(count)
    return {"cpu_ms": sum(each.values()), "by_process": each}


async def _all_captured(market: LoadedMarket, buyers: Sequence[str]) -> float:
    """When that was, on CLOCK_MONOTONIC. Raises `UnsettledError`."""
    payments, deadline = market.collection("payments", "payments"), time.monotonic() + PATIENCE_SECONDS
    while True:
        captured = await payments.count_documents({"user_id": {"$in": list(buyers)}, "status": "captured"})
        now = time.monotonic()
        if captured == len(buyers):
            return now
        if now > deadline:
            raise UnsettledError(f"{captured} of {len(buyers)} payments were captured")
        await asyncio.sleep(SAMPLE_SECONDS)
