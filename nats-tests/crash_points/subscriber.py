"""A subscriber that is killed at the nth event: before the write of its projection, or before the acknowledgement."""

import asyncio
import os
import signal
import sys
from typing import Final

from nats.aio.msg import Msg
from parts import SubscribingService

from ticketing_common.events import TicketEvent
from ticketing_common.settings import EventServiceSettings

WHERE: Final = sys.argv[1]
NTH: Final = int(sys.argv[2])
ACK_WAIT_SECONDS: Final = float(sys.argv[3])

_acknowledge = Msg.ack
_begun = _acknowledged = 0


def _die(subject: str) -> None:
    """Print the event's subject and kill this process."""
    sys.stdout.write(f"{subject}\n")
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)


async def before_commit(event: TicketEvent) -> None:
    global _begun
    _begun += 1
    if WHERE == "before_commit" and _begun == NTH:
        _die(event.nats_subject)


async def before_ack(self: Msg) -> None:
    global _acknowledged
    _acknowledged += 1
    if WHERE == "before_ack" and _acknowledged == NTH:
        _die(self.subject)
    await _acknowledge(self)


async def main() -> None:
    Msg.ack = before_ack  # type: ignore[method-assign]  # the consumer's last step for an event
    subscriber = SubscribingService(EventServiceSettings(), ack_wait_seconds=ACK_WAIT_SECONDS, before=before_commit)
    subscriber.runtime.start()
    await asyncio.Event().wait()


asyncio.run(main())
