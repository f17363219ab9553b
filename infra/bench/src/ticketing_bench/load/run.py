"""The run: one stack, one part after another, and its findings."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from ticketing_bench.machine import Machine
from ticketing_bench.measurement import Finding
from ticketing_bench.report import Report
from ticketing_bench.worker import Worker

from .arena import measure_arena
from .burst import measure_burst
from .buying import measure_buying
from .expiry import measure_expiry
from .footprint import measure_starts, memory_findings, memory_of
from .generator import LoadRole
from .growth import measure_growth
from .market import LoadedMarket, running_market
from .sizes import Sizes
from .sustained import measure_sustained

__all__ = ["PARTS", "run"]

Say = Callable[[str], None]

PARTS: Final = ("burst", "arena", "sustained", "buying", "memory", "expiry", "growth", "starts")


async def run(parts: Sequence[str], sizes: Sizes, *, quick: bool, say: Callable[[str], None]) -> Report:
    """Measure the chosen parts on stacks that are started for it and end with it.

    Raises `UnsettledError` when anything was sold twice, got lost, or did not come to its end: then no figure counts.
    """
    machine, at = Machine.this(), datetime.now(UTC)
    findings: list[Finding] = []
    for measure in (_people, _catalogues):  # a large catalogue, and nothing else in it, has a stack of its own
        if set(parts) & _PARTS_OF[measure]:
            async with running_market(say) as market:
                with Worker(LoadRole, urls={}, pids={}) as generator:
                    findings += [found async for found in measure(market, generator, parts, sizes, say)]
    title = "The whole product under load"
    return Report(name="load", title=title, at=at, quick=quick, machine=machine, findings=tuple(findings))


async def _people(
    market: LoadedMarket, generator: Worker, parts: Sequence[str], sizes: Sizes, say: Say
) -> AsyncIterator[Finding]:
    idle = memory_of(market)
    measures = {
        "burst": measure_burst,
        "arena": measure_arena,
        "sustained": measure_sustained,
        "buying": measure_buying,
    }
    for part, measure in measures.items():
        if part in parts:
            for found in await measure(market, generator, sizes, say):
                yield found
    if "memory" in parts:
        for found in memory_findings(idle, memory_of(market)):
            yield found
    if "expiry" in parts:
        for found in await measure_expiry(market, sizes, say):
            yield found


async def _catalogues(
    market: LoadedMarket, generator: Worker, parts: Sequence[str], sizes: Sizes, say: Say
) -> AsyncIterator[Finding]:
    if "starts" in parts:
        for found in await measure_starts(market, sizes, say):
            yield found
    if "growth" in parts:
        for found in await measure_growth(market, generator, sizes, say):
            yield found


_PARTS_OF: Final = {
    _people: frozenset({"burst", "arena", "sustained", "buying", "memory", "expiry"}),
    _catalogues: frozenset({"growth", "starts"}),
}
