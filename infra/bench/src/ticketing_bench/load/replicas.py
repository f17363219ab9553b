"""Holds, refusals and purchases with one process of orders and with two, in turns on the same stack."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from ticketing_bench.cpu_time import CpuTime
from ticketing_bench.measurement import Answer, Finding
from ticketing_local.services import ServiceProcess
from ticketing_testkit.servers import free_port

from .buying import all_captured
from .market import LoadedMarket, UnsettledError, hold

__all__ = ["measure_replicas"]

SECOND: Final = "orders, second"
CONNECTIONS: Final = 32
PATIENCE_SECONDS: Final = 120.0
NO_GROWTH: Final = 1.1
"""With one tenth for the noise of a shared machine."""


async def measure_replicas(market: LoadedMarket) -> list[Finding]:
    """The rates, and the CPU time per operation of all processes of the product until every event is handled.

    Where the cores are busy with one process, the rates cannot grow; the CPU time per operation must not.
    """
    answers: dict[str, dict[int, list[Answer]]] = {}
    for _ in range(market.sizes.rounds):
        for count in (1, 2):
            async with _orders(market, count) as (ports, pids):
                for name, measure in _OPERATIONS.items():
                    answer = await measure(market, ports, pids)
                    answers.setdefault(name, {1: [], 2: []})[count].append(answer)
                    market.say(f"{name}, orders {count} x: {answer['rate']:.0f}/s, {answer['cpu_ms']:.2f} ms CPU each")
    await market.check()
    findings = []
    for name, of in answers.items():
        about = f"{name}, two processes of orders to one"
        findings += [
            Finding.compared("rate", of[2], of[1], part="replicas", name=f"{about}: rate", unit="1/s"),
            Finding.compared(
                "cpu_ms",
                of[2],
                of[1],
                part="replicas",
                name=f"{about}: CPU time each",
                unit="ms",
                at_most=NO_GROWTH,
                note=f"by process; one: {_by_process(of[1])}; two: {_by_process(of[2])}",
            ),
        ]
    return findings


@asynccontextmanager
async def _orders(market: LoadedMarket, count: int) -> AsyncIterator[tuple[Sequence[int], Mapping[str, int]]]:
    """The ports of orders, and the process ids of the stack, with one or two replicas."""
    port = market.port("orders")
    if count == 1:
        yield [port], market.pids
        return
    first = market.stack.processes["orders"]
    log = first.log.with_name("orders-second.log")
    second = ServiceProcess("orders", first.directory, log, port=free_port(), environment=first.environment())
    try:
        await asyncio.to_thread(second.start)
        yield [port, second.port], {**market.pids, SECOND: second.pid or 0}
    finally:
        await asyncio.to_thread(second.stop)


async def _hold(market: LoadedMarket, ports: Sequence[int], pids: Mapping[str, int]) -> Answer:
    tickets = await market.seed_tickets(market.sizes.buyers)
    people = await market.sign_in(market.sizes.buyers)
    requests = [hold(token, ticket) for (_, token), ticket in zip(people, tickets, strict=True)]
    return await _ask(market, ports, pids, requests, 201)


async def _refuse(market: LoadedMarket, ports: Sequence[int], pids: Mapping[str, int]) -> Answer:
    (ticket,) = await market.seed_tickets(1)
    holder, *people = await market.sign_in(market.sizes.buyers + 1)
    await _ask(market, ports, pids, [hold(holder[1], ticket)], 201)
    return await _ask(market, ports, pids, [hold(token, ticket) for _, token in people], 409)


async def _ask(
    market: LoadedMarket, ports: Sequence[int], pids: Mapping[str, int], requests: Sequence[str], status: int
) -> Answer:
    processors = CpuTime("bench", pids)
    answer = await market.ask(
        "flood",
        port=ports[0],
        other_ports=ports[1:],
        requests=requests,
        connections=min(CONNECTIONS, len(requests)),
        seconds=PATIENCE_SECONDS,
        once=True,
        pids=pids,
    )
    await market.settle(PATIENCE_SECONDS)
    if answer["statuses"] != {status: len(requests)}:
        raise UnsettledError(f"instead of {status} the responses were {answer['statuses']}")
    return {"rate": answer["rate"], "cpu": answer["cpu"], **_each(processors, len(requests))}


async def _buy(market: LoadedMarket, ports: Sequence[int], pids: Mapping[str, int]) -> Answer:
    count = market.sizes.buys
    tickets = await market.seed_tickets(count)
    people = await market.sign_in(count)
    processors = CpuTime("bench", pids)
    begun = time.monotonic()
    answer = await market.ask(
        "buy",
        orders_ports=ports,
        payments_port=market.port("payments"),
        buys=[(token, ticket) for (_, token), ticket in zip(people, tickets, strict=True)],
        at_once=market.sizes.buys_at_once,
        pids=pids,
    )
    elapsed = await all_captured(market, [person for person, _ in people]) - begun
    await market.settle(PATIENCE_SECONDS)
    return {"rate": count / elapsed, "cpu": answer["cpu"], **_each(processors, count)}


def _each(processors: CpuTime, count: int) -> dict[str, object]:
    """The CPU time of one operation in milliseconds: of all processes together, and by process."""
    by_process = processors.each_ms(count)
    return {"cpu_ms": sum(by_process.values()), "by_process": by_process}


def _by_process(answers: Sequence[Answer]) -> str:
    last = answers[-1]["by_process"]
    return ", ".join(f"{name} {each:.1f}" for name, each in last.items() if each >= 0.1)


_OPERATIONS: Final[Mapping[str, Callable[..., Awaitable[Answer]]]] = {
    "holds": _hold,
    "refusals": _refuse,
    "purchases": _buy,
}
