"""Removes the texts of deleted listings after a stated time, in the background of every replica."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from ticketing_common.entity import utc_now
from ticketing_common.resilience import cancel_and_wait
from ticketing_common.telemetry import get_logger, trace_scope

from .service import TicketService

__all__ = ["forget_regularly"]

SWEEP_SECONDS: Final = 600.0

log = get_logger(__name__)


@asynccontextmanager
async def forget_regularly(
    service: TicketService, *, after: timedelta, every_seconds: float = SWEEP_SECONDS
) -> AsyncIterator[None]:
    """While the block runs, remove the texts of listings that were deleted longer ago than `after`.

    Needs no lease: each removal is one compare-and-swap, and a second replica finds nothing to do.
    """

    async def sweep() -> None:
        while True:
            await asyncio.sleep(every_seconds)
            try:
                with trace_scope(None):
                    if count := await service.forget_deleted(before=utc_now() - after):
                        log.info("texts of deleted listings removed", count=count)
            except Exception:
                log.exception("texts of deleted listings not removed, retrying later")

    task = asyncio.create_task(sweep())
    try:
        yield
    finally:
        await cancel_and_wait(task)
