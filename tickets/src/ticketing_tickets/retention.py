"""Removes the texts of deleted listings, and the listings of deleted accounts, in the background of every replica."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from ticketing_common.entity import utc_now
from ticketing_common.resilience import cancel_and_wait
from ticketing_common.telemetry import get_logger, trace_scope

from .departures import Departures
from .service import TicketService

__all__ = ["forget_regularly", "withdraw_regularly"]

SWEEP_SECONDS: Final = 600.0
WITHDRAW_SECONDS: Final = 20.0

log = get_logger(__name__)


@asynccontextmanager
async def forget_regularly(
    service: TicketService, *, after: timedelta, every_seconds: float = SWEEP_SECONDS
) -> AsyncIterator[None]:
    """While the block runs, remove the texts of listings that were deleted longer ago than `after`.

    Needs no lease: each removal is one compare-and-swap, and a second replica finds nothing to do.
    """

    async def forget() -> None:
        if count := await service.forget_deleted(before=utc_now() - after):
            log.info("texts of deleted listings removed", count=count)

    async with _repeated(forget, every_seconds, failure="texts of deleted listings not removed, retrying later"):
        yield


@asynccontextmanager
async def withdraw_regularly(departures: Departures, *, every_seconds: float = WITHDRAW_SECONDS) -> AsyncIterator[None]:
    """While the block runs, withdraw listings of deleted accounts that have become free. Needs no lease either."""
    failure = "listings of deleted accounts not withdrawn, retrying later"
    async with _repeated(departures.withdraw_all, every_seconds, failure=failure):
        yield


@asynccontextmanager
async def _repeated(
    work: Callable[[], Awaitable[object]], every_seconds: float, *, failure: str
) -> AsyncIterator[None]:
    async def sweep() -> None:
        while True:
            await asyncio.sleep(every_seconds)
            try:
                with trace_scope(None):
                    await work()
            except Exception:
                log.exception(failure)

    task = asyncio.create_task(sweep())
    try:
        yield
    finally:
        await cancel_and_wait(task)
