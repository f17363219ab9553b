"""The patient loop that asks Stripe about everything unsettled; it knows when, the sweep it is given knows what."""

import asyncio
from collections.abc import Awaitable, Callable

from ticketing_common.resilience import cancel_and_wait
from ticketing_common.telemetry import get_logger, trace_scope

__all__ = ["Reconciler"]

log = get_logger(__name__)


class Reconciler:
    """Runs `sweep` every so many seconds, in the one replica that `acquire`s the lease at that time."""

    def __init__(
        self, sweep: Callable[[], Awaitable[None]], *, acquire: Callable[[], Awaitable[bool]], seconds: float
    ) -> None:
        self._sweep = sweep
        self._acquire = acquire
        self._seconds = seconds
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; the first sweep comes after one interval, when the service has come up."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End. A sweep that is cut short has changed nothing that the next one would not find."""
        await cancel_and_wait(self._task)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            try:
                with trace_scope(None):
                    if await self._acquire():
                        await self._sweep()
            except Exception:
                log.exception("reconciliation stumbled, going on")
