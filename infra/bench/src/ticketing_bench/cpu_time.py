"""The CPU time of each process during a measurement."""

import os
import time
from collections.abc import Mapping
from typing import Final

import psutil

TICK_SECONDS: Final = 0.01
"""The kernel counts the CPU time of a process in ticks."""


class CpuTime:
    """Counts from its creation, for this process and for others by process id."""

    def __init__(self, name: str, others: Mapping[str, int]) -> None:
        self._processes = {name: psutil.Process(os.getpid())}
        self._processes |= {other: psutil.Process(pid) for other, pid in others.items()}
        self._begun = time.monotonic()
        self._before = self._used()

    def cores(self) -> dict[str, float]:
        """Cores in use since then: CPU seconds per second, by process."""
        elapsed = time.monotonic() - self._begun
        return {name: round(used / elapsed, 3) for name, used in self.seconds().items()}

    def seconds(self) -> dict[str, float]:
        """CPU seconds since then, by process."""
        now = self._used()
        return {name: now[name] - self._before[name] for name in now}

    def each_ms(self, count: int) -> dict[str, float]:
        """CPU milliseconds since then for each of `count` operations, by process; this one is left out."""
        own = next(iter(self._processes))
        return {name: 1000 * max(used, TICK_SECONDS) / count for name, used in self.seconds().items() if name != own}

    def _used(self) -> dict[str, float]:
        times = {name: process.cpu_times() for name, process in self._processes.items()}
        return {name: one.user + one.system for name, one in times.items()}
