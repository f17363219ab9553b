"""A publisher that is killed at the nth commit: before the event is published, or after that and before it is removed
from the outbox. Prints the id of each acknowledged commit.
"""

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from parts import PublishingService
from traffic import DirectTickets

from ticketing_common.delivery import runtime
from ticketing_common.messaging import JetStreamPublisher, Message, Sent
from ticketing_common.settings import EventServiceSettings
from ticketing_common.storage import Outbox
from ticketing_tickets.domain import TicketDetails

WHERE: Final = sys.argv[1]
NTH: Final = int(sys.argv[2])

_send, _remove = JetStreamPublisher.send, Outbox.remove
_sends = _removals = 0


def before_publish(self: JetStreamPublisher, messages: Sequence[Message]) -> list[Sent]:
    global _sends
    _sends += len(messages)
    if WHERE == "before_publish" and _sends >= NTH:
        os.kill(os.getpid(), signal.SIGKILL)
    return _send(self, messages)


async def before_removal(self: Outbox, published: Mapping[str, Iterable[str]]) -> None:
    global _removals
    _removals += len(published)
    if WHERE == "before_removal" and _removals >= NTH:
        os.kill(os.getpid(), signal.SIGKILL)
    await _remove(self, published)


async def main() -> None:
    runtime.SWEEP_LEASE_SECONDS = 1.0  # type: ignore[misc]  # the restarted process waits for this lease
    JetStreamPublisher.send = before_publish  # type: ignore[method-assign]  # the relay's two steps
    Outbox.remove = before_removal  # type: ignore[method-assign]
    publisher = PublishingService(EventServiceSettings())
    tickets = DirectTickets(publisher)
    publisher.runtime.start()
    await publisher.runtime.wait_until_ready()
    for number in itertools.count(1):
        state = await tickets.create(TicketDetails(title=f"Seat {number}", price_cents=100 + number))
        sys.stdout.write(f"{state.id}\n")
        sys.stdout.flush()


asyncio.run(main())
