"""The load generator, in a separate process: a closed loop, or an open loop at a steady rate."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from ticketing_bench.cpu_time import CpuTime
from ticketing_bench.measurement import percentile
from ticketing_bench.pace import paced
from ticketing_bench.wire import Connections
from ticketing_bench.worker import Role
from ticketing_common.resilience import cancel_and_wait


class GeneratorRole(Role):
    """The generator of the requests to all sides."""

    NAME: ClassVar[str] = "generator"

    async def flood(
        self,
        port: int,
        requests: Sequence[str],
        connections: int,
        seconds: float,
        once: bool,
        pids: Mapping[str, int],
        other_ports: Sequence[int] = (),
    ) -> dict[str, Any]:
        """A closed loop over so many connections: each sends the next request after the last response.

        The requests repeat until the time is over, or with `once` each is sent once, which can end earlier.
        `other_ports` are those of further replicas.
        """
        encoded = [request.encode() for request in requests]
        following = iter(encoded) if once else itertools.cycle(encoded)
        statuses: Counter[int] = Counter()

        async def keep_asking() -> None:
            for request in following:
                status, _ = await opened.ask(request)
                statuses[status] += 1
                if time.monotonic() >= deadline:
                    break

        async with Connections(port, *other_ports) as opened:
            await opened.open(connections)
            processors = CpuTime(self.NAME, pids)
            begun = time.monotonic()
            deadline = begun + seconds
            async with asyncio.TaskGroup() as group:
                for _ in range(connections):
                    group.create_task(keep_asking())
            elapsed = time.monotonic() - begun
            cores = processors.cores()
        return {"rate": statuses.total() / elapsed, "statuses": dict(statuses), "cpu": cores}

    async def watch(
        self,
        port: int,
        probe: Mapping[str, Any],
        seconds: float,
        pids: Mapping[str, int],
        beside: Mapping[str, Any] | None = None,
        lead_seconds: float = 0.0,
    ) -> dict[str, Any]:
        """An open loop: the latency of `probe` from its due time, under the load of `beside`.

        Both have a `rate` and `requests`. The load starts earlier, and its responses are not awaited.
        """
        statuses: Counter[int] = Counter()
        async with Connections(port) as opened, _asked_beside(opened, beside, lead_seconds + seconds) as others:
            await asyncio.sleep(lead_seconds)
            others.clear()  # only responses during the measurement count
            numbers = itertools.count()
            requests = itertools.cycle(request.encode() for request in probe["requests"])

            async def send() -> str:
                status, _ = await opened.ask(next(requests))
                statuses[status] += 1
                return str(next(numbers))

            processors = CpuTime(self.NAME, pids)
            due, done = await paced(probe["rate"], max(1, round(probe["rate"] * seconds)), send)
            cores = processors.cores()
        late = [(done[one] - due[one]) * 1000 for one in due]
        return {
            "p50": percentile(late, 0.5),
            "p99": percentile(late, 0.99),
            "statuses": dict(statuses),
            "beside": dict(others),
            "cpu": cores,
        }


@asynccontextmanager
async def _asked_beside(
    opened: Connections, beside: Mapping[str, Any] | None, seconds: float
) -> AsyncIterator[Counter[int]]:
    """Send requests at their own rate inside this block; yields the statuses so far."""
    statuses: Counter[int] = Counter()
    if beside is None:
        yield statuses
        return
    requests = itertools.cycle(request.encode() for request in beside["requests"])

    async def send() -> str:
        status, _ = await opened.ask(next(requests))
        statuses[status] += 1
        return ""

    flow = asyncio.create_task(paced(beside["rate"], max(1, int(beside["rate"] * seconds)), send))
    try:
        yield statuses
        if flow.done():
            flow.result()  # raises its exception
    finally:
        await cancel_and_wait(flow)
