"""The periodic task that asks Stripe about unsettled payments. It decides when; its `sweep` callback decides what."""

import asyncio
from collections.abc import Awaitable, Callable

from ticketing_common.resilience import cancel_and_wait
from ticketing_common.telemetry import get_logger, trace_scope

log = get_logger(__name__)


class Reconciler:
    """Runs `sweep` every `seconds` seconds, in the one replica whose `acquire` gets the lease."""

    def __init__(
        self, sweep: Callable[[], Awaitable[None]], *, acquire: Callable[[], Awaitable[bool]], seconds: float
    ) -> None:
        self._sweep = sweep
        self._acquire = acquire
        self._seconds = seconds
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the task. The first sweep runs after one interval, when the service is up."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Cancel the task and wait for it. The next sweep finds whatever a cancelled sweep did not finish."""
        await cancel_and_wait(self._task)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            try:
                with trace_scope(None):
                    if await self._acquire():
                        await self._sweep()
            except Exception:
                log.exception("reconciliation failed, next run follows")
