"""From a hold to a captured payment, against the maximum rate of the Stripe double."""

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ticketing_bench.measurement import Finding
from ticketing_bench.worker import Worker
from ticketing_testkit.servers import StripeDouble

from .market import LoadedMarket, UnsettledError
from .sizes import Sizes

__all__ = ["measure_buying"]

PATIENCE_SECONDS: Final = 120.0
SAMPLE_SECONDS: Final = 0.05


async def measure_buying(
    market: LoadedMarket, generator: Worker, sizes: Sizes, say: Callable[[str], None]
) -> list[Finding]:
    """Tickets sold per second, and their share of the double's own rate of create, confirm and capture."""
    with tempfile.TemporaryDirectory(prefix="ticketing-double-") as folder:
        # A second double, because it slows down with every stored charge: both store the same number.
        double = StripeDouble(Path(folder))
        await asyncio.to_thread(double.start)
        try:
            return await _in_rounds(market, generator, double.port, sizes, say)
        finally:
            await asyncio.to_thread(double.stop)


async def _in_rounds(
    market: LoadedMarket, generator: Worker, double: int, sizes: Sizes, say: Callable[[str], None]
) -> list[Finding]:
    bought, ceiling, cpu = [], [], {}
    for _ in range(sizes.rounds):
        charged = await asyncio.to_thread(
            generator.ask,
            "charge",
            port=double,
            key=market.stripe_key,
            count=sizes.buys,
            at_once=sizes.buys_at_once,
        )
        if charged["statuses"] != {"200": 3 * sizes.buys}:
            raise UnsettledError(f"the double answered {charged['statuses']}")
        ceiling.append(charged["rate"])
        tickets = await market.seed_tickets(sizes.buys)
        people = await market.sign_in(sizes.buys)
        answer = await asyncio.to_thread(
            generator.ask,
            "buy",
            orders_port=market.port("orders"),
            payments_port=market.port("payments"),
            buys=[(token, ticket) for (_, token), ticket in zip(people, tickets, strict=True)],
            at_once=sizes.buys_at_once,
            pids=market.pids,
        )
        buyers = [person for person, _ in people]
        elapsed = await _all_captured(market, buyers) - answer["begun"]
        bought.append(sizes.buys / elapsed)
        cpu = answer["cpu"]
        say(f"bought {bought[-1]:.1f}/s; the double alone {ceiling[-1]:.1f}/s; {answer['statuses']}")
    await market.settle(PATIENCE_SECONDS)
    await market.check()
    parts = tuple(one / other for one, other in zip(bought, ceiling, strict=True))
    return [
        Finding(part="buying", name="hold, pay, captured", unit="1/s", rounds=tuple(bought), cpu=cpu),
        Finding(part="buying", name="the double alone: create, confirm, capture", unit="1/s", rounds=tuple(ceiling)),
        Finding(part="buying", name="part of the double's own", unit="", rounds=parts, at_least=0.8),
    ]


async def _all_captured(market: LoadedMarket, buyers: list[str]) -> float:
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
