"""How far a service is with a stream: whether all that was published until now is handled."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import nats.errors
import nats.js.errors

from ticketing_common.messaging import NatsConnection
from ticketing_common.storage import Asked, Batcher
from ticketing_common.telemetry import get_logger

__all__ = ["ConsumerProgress"]

log = get_logger(__name__)

LOOK_SECONDS: Final = 0.1
RECONNECTED_SECONDS: Final = 3.0
"""So long after a connection other services may still publish what they kept while the broker was away: they reconnect
within a second, and their sweep comes a good second later."""


@dataclass(frozen=True, slots=True)
class _Position:
    """What the broker says of one stream and of one consumer on it; the consumer was asked second."""

    last_sequence: int
    undelivered: int
    unacknowledged: int
    delivered: int
    acknowledged: int
    """All messages up to this sequence are acknowledged."""

    def has_passed(self, sequence: int) -> bool:
        """Whether no message up to `sequence` is still to be delivered or acknowledged.

        The two sequences alone do not say so: they stop at the last message that the consumer's filter lets through.
        """
        return (self.undelivered == 0 or self.delivered >= sequence) and (
            self.unacknowledged == 0 or self.acknowledged >= sequence
        )


class ConsumerProgress:
    """Asks the broker, so the answer covers every replica, and events that a replica took with it when it died."""

    def __init__(self, connection: NatsConnection, stream: str, durable: str) -> None:
        self._connection = connection
        self._stream = stream
        self._durable = durable
        asked = Asked(f"{durable} info", {"messaging.system": "nats", "messaging.operation.name": "info"})
        # Callers that come together share one answer; it is asked for after each of them has come.
        self._look: Batcher[None, _Position] = Batcher(self._look_for_all, asked)

    async def handled_until_now(self, *, seconds: float) -> bool:
        """Wait until all that the stream holds at this moment is handled; False when it is not within `seconds`.

        Events that are published later do not prolong the wait. A broker that does not answer counts as not handled.
        """
        target: int | None = None
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._wait_after_reconnecting()
                while True:
                    try:
                        position = await self._look(None)
                    except (nats.errors.Error, nats.js.errors.Error, OSError) as error:
                        log.debug("progress not known", consumer=self._durable, error=repr(error))
                    else:
                        target = position.last_sequence if target is None else target
                        if position.has_passed(target):
                            return True
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            return False

    async def _wait_after_reconnecting(self) -> None:
        # The connection may be lost meanwhile; then it begins anew.
        while (left := RECONNECTED_SECONDS - self._connection.connected_seconds) > 0:  # noqa: ASYNC110 (time decides)
            await asyncio.sleep(left)

    async def _look_for_all(self, callers: Sequence[None]) -> list[_Position | Exception]:
        try:
            js = self._connection.js
            stream = await js.stream_info(self._stream)
            consumer = await js.consumer_info(self._stream, self._durable)
        except (nats.errors.Error, nats.js.errors.Error, OSError) as error:
            return [error] * len(callers)
        position = _Position(
            last_sequence=stream.state.last_seq,
            undelivered=consumer.num_pending or 0,
            unacknowledged=consumer.num_ack_pending or 0,
            delivered=consumer.delivered.stream_seq if consumer.delivered else 0,
            acknowledged=consumer.ack_floor.stream_seq if consumer.ack_floor else 0,
        )
        return [position] * len(callers)
