"""The run: the parts in sequence on the same servers, each with the processes that it needs."""

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ticketing_bench.generator import GeneratorRole
from ticketing_bench.measurement import Finding
from ticketing_bench.seed_data import insert_tickets, seeding
from ticketing_bench.servers import running_servers
from ticketing_bench.worker import Worker
from ticketing_common.entity import new_id
from ticketing_common.topology import STREAM_SUBJECTS
from ticketing_testkit.apps import Bus

from .hanging import measure_hanging
from .holding import measure_holding
from .reading import measure_reading
from .refusing import measure_refusing
from .rounds import Bench
from .serving import CATALOGUE, Deployment
from .signing_in import measure_signing_in


@dataclass(frozen=True)
class Sizes:
    """The sizes of a run: `seconds` for each side and round of a rate, `watch_seconds` of a latency."""

    rounds: int
    seconds: float
    watch_seconds: float
    catalogue: int = 2_000
    buyers: int = 2_000
    connections: int = 16


FULL: Final = Sizes(rounds=5, seconds=2.5, watch_seconds=5.0)
QUICK: Final = Sizes(rounds=2, seconds=0.2, watch_seconds=0.5, catalogue=1_500)


def run(sizes: Sizes, say: Callable[[str], None]) -> list[Finding]:
    """Measure everything; raises `InvalidRunError` when a side did not execute the requests."""
    with (
        tempfile.TemporaryDirectory(prefix="ticketing-bench-") as folder,
        running_servers() as servers,
        Worker(GeneratorRole, urls={}, pids={}) as generator,
    ):
        bench = Bench(
            deployment=Deployment(servers, Path(folder)),
            generator=generator,
            rounds=sizes.rounds,
            seconds=sizes.seconds,
            watch_seconds=sizes.watch_seconds,
            connections=sizes.connections,
            say=say,
        )
        ids = asyncio.run(_catalogue(servers.urls["mongo_url"], sizes.catalogue))
        parts: list[Callable[[], list[Finding]]] = [
            lambda: measure_reading(bench, ids),
            lambda: measure_refusing(bench, sizes.buyers),
            lambda: measure_holding(bench),
            lambda: measure_signing_in(bench),
            lambda: measure_hanging(bench, Path(folder)),
        ]
        findings: list[Finding] = []
        for part in parts:
            asyncio.run(empty_streams(servers.urls["nats_url"]))
            findings += part()
    return findings


async def _catalogue(mongo_url: str, count: int) -> list[str]:
    """Insert so many tickets of the tickets service; returns their ids."""
    async with seeding(mongo_url) as client:
        return [one.id for one in await insert_tickets(client[CATALOGUE]["tickets"], new_id(), range(count))]


async def empty_streams(nats_url: str) -> None:
    """Declare the streams, for which a service waits at its start, and empty them.

    Otherwise the service handles the events of an earlier part during the measurement: after 16,000 new tickets the
    bare route made only a third of its holds beside orders, and the service looked twice as good.
    """
    async with Bus.connect(nats_url) as bus:
        for name in STREAM_SUBJECTS:
            await bus.js.purge_stream(name)
