"""From a hold to a captured payment, against the maximum rate of the Stripe double."""

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Final

from ticketing_bench.measurement import Finding
from ticketing_testkit.servers import StripeDouble

from .market import LoadedMarket, UnsettledError

__all__ = ["all_captured", "measure_buying"]

PATIENCE_SECONDS: Final = 120.0
SAMPLE_SECONDS: Final = 0.05


async def measure_buying(market: LoadedMarket) -> list[Finding]:
    """Tickets sold per second, and their share of the double's own rate of create, confirm and capture."""
    with tempfile.TemporaryDirectory(prefix="ticketing-double-") as folder:
        # A second double, because it slows down with every stored charge: both store the same number.
        double = StripeDouble(Path(folder))
        await asyncio.to_thread(double.start)
        try:
            return await _in_rounds(market, double.port)
        finally:
            await asyncio.to_thread(double.stop)


async def _in_rounds(market: LoadedMarket, double: int) -> list[Finding]:
    count, at_once = market.sizes.buys, market.sizes.buys_at_once
    bought, ceiling, cpu = [], [], {}
    for _ in range(market.sizes.rounds):
        charged = await market.ask("charge", port=double, key=market.stripe_key, count=count, at_once=at_once)
        if charged["statuses"] != {200: 3 * count}:
            raise UnsettledError(f"the double answered {charged['statuses']}")
        ceiling.append(charged["rate"])
        tickets = await market.seed_tickets(count)
        people = await market.sign_in(count)
        answer = await market.ask(
            "buy",
            orders_ports=[market.port("orders")],
            payments_port=market.port("payments"),
            buys=[(token, ticket) for (_, token), ticket in zip(people, tickets, strict=True)],
            at_once=at_once,
            pids=market.pids,
        )
        buyers = [person for person, _ in people]
        elapsed = await all_captured(market, buyers) - answer["begun"]
        bought.append(count / elapsed)
        cpu = answer["cpu"]
        market.say(f"bought {bought[-1]:.1f}/s; the double alone {ceiling[-1]:.1f}/s; {answer['statuses']}")
    await market.settle(PATIENCE_SECONDS)
    await market.check()
    parts = tuple(one / other for one, other in zip(bought, ceiling, strict=True))
    return [
        Finding(part="buying", name="hold, pay, captured", unit="1/s", rounds=tuple(bought), cpu=cpu),
        Finding(part="buying", name="the double alone: create, confirm, capture", unit="1/s", rounds=tuple(ceiling)),
        Finding(part="buying", name="part of the double's own", unit="", rounds=parts, at_least=0.8),
    ]


async def all_captured(market: LoadedMarket, buyers: list[str]) -> float:
    """When that was, on CLOCK_MONOTONIC. Raises `UnsettledError`."""
    payments, deadline = market.collection("payments", "payments"), time.monotonic() + PATIENCE_SECONDS
    while True:
        captured = await payments.count_documents({"user_id": {"$in": buyers}, "status": "captured"})
        now = time.monotonic()
        if captured == len(buyers):
            return now
        if now > deadline:
            raise UnsettledError(f"{captured} of {len(buyers)} payments were captured")
        await asyncio.sleep(SAMPLE_SECONDS)
