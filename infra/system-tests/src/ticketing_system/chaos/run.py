"""One run: a stack, its callers, the faults, and then the checks."""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from ticketing_local.stack import Stack
from ticketing_ops.audit import UnreadableError
from ticketing_system.market import Market, market_of
from ticketing_system.stacks import make_stack
from ticketing_testkit.servers import ServerStartError

from .buyers import Buyer
from .caller import ANSWER_SECONDS, Caller
from .injector import Injector
from .ledger import Ledger
from .report import Report
from .schedule import plan_faults
from .sellers import Board, Seller
from .stored import Document, Stored, read_stored
from .verdict import broken_promises, unsettled

BUYERS: Final = 8
SELLERS: Final = 2
WINDOW_SECONDS: Final = 6
SAMPLE_SECONDS: Final = 1.0
GRACE_SECONDS: Final = 1.0
"""For the audit: once all orders and payments are final, no event should be in transit."""


@dataclass(frozen=True)
class RunOptions:
    """`seconds` is how long faults occur, `settle_seconds` the time after the last fault to recover fully."""

    seed: int
    seconds: float
    data_dir: Path
    settle_seconds: float = 30.0


def run(options: RunOptions, say: Callable[[str], None]) -> Report:
    """Start everything, cause the faults, and report the failures; stops all processes. Raises `ServerStartError`."""
    stack = make_stack(options.data_dir, window_seconds=WINDOW_SECONDS)
    with stack.data.locked():
        stack.start(lambda _name, _what: None)
        try:
            return asyncio.run(_Run(options, stack, say).play())
        finally:
            stack.stop()


class _Run:
    def __init__(self, options: RunOptions, stack: Stack, say: Callable[[str], None]) -> None:
        self._options = options
        self._stack = stack
        self._say = say
        self._ledger = Ledger()
        self._board = Board()
        self._injector = Injector(stack.processes, say)

    async def play(self) -> Report:
        """The whole run."""
        options = self._options
        limits = httpx.Limits(max_connections=4 * (BUYERS + SELLERS))
        async with httpx.AsyncClient(timeout=ANSWER_SECONDS, limits=limits) as http:
            sellers = [Seller(self._caller(http, f"seller-{n}"), self._board) for n in range(SELLERS)]
            buyers = [Buyer(self._caller(http, f"buyer-{n}"), self._board) for n in range(BUYERS)]
            for caller in (*(seller.caller for seller in sellers), *(buyer.caller for buyer in buyers)):
                await caller.sign_up()
            self._board.sellers = {seller.caller.id: seller for seller in sellers}
            stopping = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                for seller in sellers:
                    group.create_task(seller.sell_until(stopping))
                for buyer in buyers:
                    group.create_task(buyer.buy_until(stopping))
                await self._injector.run(plan_faults(options.seed, options.seconds))
                over = asyncio.get_running_loop().time()
                self._say("the last fault is over")
                stopping.set()
                reckoning = group.create_task(self._reckon(over))
        return reckoning.result()

    def _caller(self, http: httpx.AsyncClient, name: str) -> Caller:
        chance = random.Random(f"{self._options.seed}:{name}")
        password = f"{chance.getrandbits(64):016x}"
        return Caller(http, self._stack.state.addresses, self._ledger, chance, name, password=password)

    async def _reckon(self, over: float) -> Report:
        """Check until there is no failure or the time is up; the failures of the last check are the result."""
        loop = asyncio.get_running_loop()
        report = Report(self._options.seed, self._options.seconds)
        try:
            await self._injector.wait_until_ready()
        except ServerStartError as error:
            report.failures.append(str(error))
            return self._filled(report, None)
        report.ready_seconds = loop.time() - over
        async with market_of(self._stack) as market:
            while True:
                stored, failures = await self._sample(market)
                seconds = loop.time() - over
                state = f"{len(failures)} open, {failures[0]}" if failures else "whole"
                self._say(f"{seconds:6.1f} s after it: {state}")
                if not failures:
                    report.recovery_seconds = seconds
                    break
                if seconds > self._options.settle_seconds:
                    report.failures += failures
                    break
                await asyncio.sleep(SAMPLE_SECONDS)
        return self._filled(report, stored)

    async def _sample(self, market: Market) -> tuple[Stored, list[str]]:
        stored = await read_stored(market)
        failures = [*broken_promises(self._ledger, stored), *unsettled(stored)]
        if not failures:
            try:
                violations = await market.violations(grace_seconds=GRACE_SECONDS, stripe_all=False)
            except UnreadableError as error:
                return stored, [f"the audit cannot read: {error}"]
            failures = [f"{found.invariant}: {found.detail} {dict(found.ids)}" for found in violations]
        return stored, failures

    def _filled(self, report: Report, stored: Stored | None) -> Report:
        ledger, faults = self._ledger, defaultdict[str, dict[str, int]](dict)
        for (kind, target), count in sorted(self._injector.counts.items()):
            faults[kind][target] = count
        report.faults = dict(faults)
        report.begun, report.acknowledged = dict(ledger.begun), dict(ledger.acknowledged)
        report.unanswered = dict(ledger.unanswered)
        if stored is not None:
            ends = [f"order {_end(order)}" for order in stored.orders.values()]
            ends += [f"payment {payment['status']}" for payment in stored.payments.values()]
            report.outcomes = dict(Counter(ends))
        report.failures += self._injector.died
        return report


def _end(order: Document) -> str:
    return f"{order['status']} {order['reason']}" if order["reason"] else str(order["status"])
