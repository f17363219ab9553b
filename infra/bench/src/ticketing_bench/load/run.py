"""The run: one part after another, on stacks that are started for it."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final

from ticketing_bench.measurement import Finding

from .arena import measure_arena
from .burst import measure_burst
from .buying import measure_buying
from .expiry import measure_expiry
from .footprint import measure_memory, measure_starts
from .growth import measure_growth
from .listing import measure_listing
from .market import LoadedMarket, running_market
from .replicas import measure_replicas
from .sizes import Sizes
from .sustained import measure_sustained

Measure = Callable[[LoadedMarket], Awaitable[list[Finding]]]

_SALES: Final[Mapping[str, Measure]] = {
    "burst": measure_burst,
    "arena": measure_arena,
    "sustained": measure_sustained,
    "buying": measure_buying,
    "listing": measure_listing,
    "replicas": measure_replicas,
    "memory": measure_memory,
    "expiry": measure_expiry,
}
_CATALOGUE: Final[Mapping[str, Measure]] = {"starts": measure_starts, "growth": measure_growth}
"""A large catalogue, and nothing else in it, has a separate stack."""
PARTS: Final = (*_SALES, *_CATALOGUE)


async def run(parts: Collection[str], sizes: Sizes, say: Callable[[str], None]) -> list[Finding]:
    """Measure the chosen parts.

    Raises `UnsettledError` when a seat was sold twice, an event was lost or work did not end: then no figure counts.
    """
    findings: list[Finding] = []
    for group in (_SALES, _CATALOGUE):
        if chosen := [measure for name, measure in group.items() if name in parts]:
            async with running_market(sizes, say) as market:
                for measure in chosen:
                    findings += await measure(market)
    return findings
