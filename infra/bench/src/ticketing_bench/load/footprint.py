"""The memory of each process, and the time that each service takes from nothing to ready."""

import asyncio
import time
from statistics import median
from typing import Final

from ticketing_bench.measurement import Finding
from ticketing_common.topology import PROCESSES
from ticketing_testkit.servers import ServerProcess, ServerStartError

from .market import LoadedMarket

START_SECONDS: Final = 30.0
SAMPLE_SECONDS: Final = 0.005


async def measure_memory(market: LoadedMarket) -> list[Finding]:
    """Memory before the first request, and after the measurements so far."""
    loaded = market.memory()
    return [
        Finding(part="memory", name=f"{name}, {when}", unit="MiB", rounds=(of[name],))
        for name in PROCESSES
        for when, of in (("idle", market.idle_memory), ("after load", loaded))
    ]


async def measure_starts(market: LoadedMarket) -> list[Finding]:
    """Each service ends and starts again while the others run. Raises `ServerStartError`."""
    findings = []
    for name in PROCESSES:
        process = market.stack.processes[name]
        times = [await asyncio.to_thread(_start_again, process) for _ in range(market.sizes.starts)]
        market.say(f"{name} starts in {median(times):.2f} s")
        findings.append(
            Finding(part="starts", name=f"{name}, from nothing to ready", unit="s", rounds=tuple(times), below=2)
        )
    return findings


def _start_again(process: ServerProcess) -> float:
    process.stop()
    begun = time.monotonic()
    process.launch()
    while time.monotonic() - begun < START_SECONDS:
        try:
            if process.is_ready():
                return time.monotonic() - begun
        except OSError:
            pass
        time.sleep(SAMPLE_SECONDS)
    raise ServerStartError(f"{process.name} was not ready within {START_SECONDS:g} s")
