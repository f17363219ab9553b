"""The publisher and the subscriber as processes of their own: `python processes.py publisher | subscriber POINT`.

After some work each creates the file POINT, which arms a crash point of `ticketing_system.crash_points`.
"""

import asyncio
import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from parts import PublishingService, SubscribingService
from traffic import DirectTickets

from ticketing_common.delivery import runtime
from ticketing_common.events import TicketEvent
from ticketing_common.settings import EventServiceSettings
from ticketing_tickets.domain import TicketDetails

ACK_WAIT_SECONDS: Final = 1.0
NTH: Final = 7
"""The commit, or the event, at which the point is armed."""


async def publisher(arm: Callable[[], None]) -> None:
    """Create tickets, and print the id of each acknowledged commit."""
    runtime.SWEEP_LEASE_SECONDS = 1.0  # type: ignore[misc]  # the restarted process waits for this lease
    service = PublishingService(EventServiceSettings())
    tickets = DirectTickets(service)
    service.runtime.start()
    await service.runtime.wait_until_ready()
    for number in itertools.count(1):
        if number == NTH:
            arm()
        state = await tickets.create(TicketDetails(title=f"Seat {number}", price_cents=100 + number))
        sys.stdout.write(f"{state.id}\n")
        sys.stdout.flush()


async def subscriber(arm: Callable[[], None]) -> None:
    """Handle events."""
    begun = itertools.count(1)

    async def count(_event: TicketEvent) -> None:
        if next(begun) == NTH:
            arm()

    service = SubscribingService(EventServiceSettings(), ack_wait_seconds=ACK_WAIT_SECONDS, before=count)
    service.runtime.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run({"publisher": publisher, "subscriber": subscriber}[sys.argv[1]](Path(sys.argv[2]).touch))
