"""Many holds that run out: how long after its moment each is over."""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from ticketing_bench.cpu_time import CpuTime
from ticketing_bench.measurement import Answer, Finding, percentile
from ticketing_bench.wire import http_request
from ticketing_common.entity import utc_now
from ticketing_common.events import TicketData
from ticketing_common.storage import Outbox
from ticketing_orders.domain import Order
from ticketing_orders.publishers import order_created
from ticketing_orders.repository import OrderRepository

from .market import LoadedMarket, UnsettledError

PATIENCE_SECONDS: Final = 180.0
AT_ONCE: Final = 32
SAMPLE_SECONDS: Final = 0.5
PROBES_PER_SECOND: Final = 50


async def measure_expiry(market: LoadedMarket) -> list[Finding]:
    """From `expires_at` to the order's cancellation, as orders stores both; due within a minute, and at one instant.

    At one instant also: the CPU time of each hold until every event is handled, and the latency of another route
    meanwhile.
    """
    spread = await _place(market, market.sizes.spread_seconds)
    findings = [await _end(market, spread, f"within {market.sizes.spread_seconds:g} s", below=1.0)]
    await market.check()
    orders = await _place(market, 0.0)
    await asyncio.sleep(max(0.0, (orders[0].expires_at - utc_now()).total_seconds()))
    processors = CpuTime("bench", market.pids)
    meanwhile = asyncio.create_task(_probe(market, orders[0].ticket.id))
    findings.append(await _end(market, orders, "at one instant", below=10.0))
    each = processors.each_ms(len(orders))
    await market.check()
    late = [await meanwhile]
    quiet = [await _probe(market, orders[0].ticket.id)]
    ending = f"{len(orders):,} holds due at one instant"
    return [
        *findings,
        Finding(
            part="expiry",
            name=f"{ending}: CPU time each",
            unit="ms",
            rounds=(sum(each.values()),),
            note=", ".join(f"{name} {used:.2f}" for name, used in each.items() if used >= 0.1),
        ),
        Finding.compared(
            "p99", late, quiet, part="expiry", name=f"{ending}: one ticket, p99, meanwhile", unit="ms", at_most=2.0
        ),
    ]


async def _end(market: LoadedMarket, orders: list[Order], when: str, *, below: float) -> Finding:
    """Wait for the end of all of them, and until every event is handled."""
    last = max(order.expires_at for order in orders)
    await asyncio.sleep(max(0.0, (last - utc_now()).total_seconds()))
    late = await _lateness(market, orders)
    market.say(f"{len(orders):,} due {when}: p50 {percentile(late, 0.5):.2f} s, p99 {percentile(late, 0.99):.2f} s")
    await market.settle(PATIENCE_SECONDS)
    return Finding(
        part="expiry",
        name=f"{len(orders):,} holds due {when}: late, p99",
        unit="s",
        rounds=(percentile(late, 0.99),),
        below=below,
        note=f"p50 {percentile(late, 0.5):.2f} s, the last {max(late):.2f} s, the first {min(late):.3f} s",
    )


async def _probe(market: LoadedMarket, ticket_id: str) -> Answer:
    """The latency of a route that reads the database, at a low rate."""
    return await market.ask(
        "watch",
        port=market.port("tickets"),
        probe={"rate": PROBES_PER_SECOND, "requests": [http_request("GET", f"/api/tickets/{ticket_id}")]},
        seconds=market.sizes.probe_seconds,
        pids=market.pids,
    )


async def _place(market: LoadedMarket, spread: float) -> list[Order]:
    """Stored as orders stores a hold, with its event in the outbox: from there on the product does everything.

    Raises `UnsettledError` when the holds were not known everywhere before the first of them was due.
    """
    tickets = await market.seed_tickets(market.sizes.expiring)
    people = await market.sign_in(20)
    known = market.collection("orders", "tickets")
    first = utc_now() + timedelta(seconds=market.sizes.lead_seconds)
    orders: list[Order] = []
    for number, ticket_id in enumerate(tickets):
        document = await known.find_one({"_id": ticket_id})
        ticket = TicketData.model_validate({"id": ticket_id} | (document or {}))
        order = Order.place(ticket, user_id=people[number % 20][0], window_seconds=1)
        order.expires_at = _in_milliseconds(first + timedelta(seconds=spread * number / len(tickets)))
        orders.append(order)
    repository = OrderRepository(Outbox(market.collection("orders", "orders")))
    gate = asyncio.Semaphore(AT_ONCE)

    async def add(order: Order) -> None:
        async with gate:
            await repository.add(order, order_created)

    await asyncio.gather(*(add(order) for order in orders))
    await market.settle(market.sizes.lead_seconds)
    if utc_now() >= first:
        raise UnsettledError("the holds expired before all services had them: a longer lead is needed")
    return orders


def _in_milliseconds(moment: datetime) -> datetime:
    """As exact as MongoDB keeps it."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


async def _lateness(market: LoadedMarket, orders: list[Order]) -> list[float]:
    """Seconds, of every order; raises `UnsettledError` when some are not over in time."""
    ids = [order.id for order in orders]
    query = {"_id": {"$in": ids}, "status": "cancelled", "reason": "expired"}
    collection, loop = market.collection("orders", "orders"), asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_SECONDS
    while await collection.find_one({"_id": {"$in": ids}, "status": {"$ne": "cancelled"}}, {"_id": 1}):
        if loop.time() > deadline:
            raise UnsettledError("some holds were not over in time")
        await asyncio.sleep(SAMPLE_SECONDS)
    found = await collection.find(query, {"expires_at": 1, "updated_at": 1}).to_list(None)
    return [(one["updated_at"] - one["expires_at"]).total_seconds() for one in found]
