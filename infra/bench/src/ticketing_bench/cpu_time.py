"""The CPU time of each process during a measurement."""

import os
import time
from collections.abc import Mapping

import psutil

__all__ = ["CpuTime"]


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
        now = self._used()
        return {name: round((now[name] - self._before[name]) / elapsed, 3) for name in now}

    def _used(self) -> dict[str, float]:
        times = {name: process.cpu_times() for name, process in self._processes.items()}
        return {name: one.user + one.system for name, one in times.items()}
