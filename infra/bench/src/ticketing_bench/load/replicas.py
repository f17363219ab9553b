"""Holds, refusals and purchases with one process of orders and with two, in turns on the same stack."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from ticketing_bench.measurement import Answer, Finding
from ticketing_local.services import ServiceProcess
from ticketing_testkit.servers import free_port

from .market import LoadedMarket, hold
from .operations import ask_each, buy, by_process

SECOND: Final = "orders, second"
CONNECTIONS: Final = 32
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
                note=f"by process; one: {by_process(of[1])}; two: {by_process(of[2])}",
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
    return await ask_each(market, ports, requests, expected=201, at_once=CONNECTIONS, pids=pids)


async def _refuse(market: LoadedMarket, ports: Sequence[int], pids: Mapping[str, int]) -> Answer:
    (ticket,) = await market.seed_tickets(1)
    holder, *people = await market.sign_in(market.sizes.buyers + 1)
    await ask_each(market, ports, [hold(holder[1], ticket)], expected=201, at_once=1, pids=pids)
    requests = [hold(token, ticket) for _, token in people]
    return await ask_each(market, ports, requests, expected=409, at_once=CONNECTIONS, pids=pids)


async def _buy(market: LoadedMarket, ports: Sequence[int], pids: Mapping[str, int]) -> Answer:
    return await buy(market, ports, at_once=market.sizes.buys_at_once[0], pids=pids)


_OPERATIONS: Final[Mapping[str, Callable[..., Awaitable[Answer]]]] = {
    "holds": _hold,
    "refusals": _refuse,
    "purchases": _buy,
}
