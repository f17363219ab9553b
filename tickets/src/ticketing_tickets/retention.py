"""Removes the texts of deleted listings, and the listings of deleted accounts, in the background of every replica."""

from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Final

from ticketing_common.entity import utc_now
from ticketing_common.resilience import repeated
from ticketing_common.telemetry import get_logger

from .departures import Departures
from .service import TicketService

SWEEP_SECONDS: Final = 600.0
WITHDRAW_SECONDS: Final = 20.0

log = get_logger(__name__)


def forget_regularly(
    service: TicketService, *, after: timedelta, every_seconds: float = SWEEP_SECONDS
) -> AbstractAsyncContextManager[None]:
    """While the block runs, remove the texts of listings that were deleted longer ago than `after`.

    Needs no lease: each removal is one compare-and-swap, and a second replica finds nothing to do.
    """

    async def forget() -> None:
        if count := await service.forget_deleted(before=utc_now() - after):
            log.info("texts of deleted listings removed", count=count)

    return repeated(forget, every_seconds, failure="texts of deleted listings not removed, retrying later")


def withdraw_regularly(departures: Departures) -> AbstractAsyncContextManager[None]:
    """While the block runs, withdraw listings of deleted accounts that have become free. Needs no lease either."""
    failure = "listings of deleted accounts not withdrawn, retrying later"
    return repeated(departures.withdraw_all, WITHDRAW_SECONDS, failure=failure)
