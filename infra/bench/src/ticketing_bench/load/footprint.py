"""What each process weighs, and how long each service takes from nothing to ready."""

import asyncio
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Final

import psutil

from ticketing_bench.measurement import Finding
from ticketing_common.topology import PROCESSES
from ticketing_testkit.servers import ServerProcess, ServerStartError

from .market import LoadedMarket
from .sizes import Sizes

__all__ = ["measure_starts", "memory_findings", "memory_of"]

START_SECONDS: Final = 30.0
SAMPLE_SECONDS: Final = 0.005
MEBIBYTE: Final = 2**20


def memory_of(market: LoadedMarket) -> dict[str, float]:
    """Proportional set size in MiB: what is shared with others counts in parts."""
    return {name: psutil.Process(pid).memory_full_info().pss / MEBIBYTE for name, pid in market.pids.items()}


def memory_findings(idle: Mapping[str, float], loaded: Mapping[str, float]) -> list[Finding]:
    """Memory before the first request, and after all other measurements."""
    return [
        Finding(part="memory", name=f"{name}, {when}", unit="MiB", rounds=(of[name],))
        for name in PROCESSES
        for when, of in (("idle", idle), ("after load", loaded))
    ]


async def measure_starts(market: LoadedMarket, sizes: Sizes, say: Callable[[str], None]) -> list[Finding]:
    """Each service ends and starts again while the others go on. Raises `ServerStartError`."""
    findings = []
    for name in PROCESSES:
        process = market.stack.processes[name]
        times = [await asyncio.to_thread(_start_again, process) for _ in range(sizes.starts)]
        say(f"{name} starts in {median(times):.2f} s")
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
