"""The progress of a service on a stream: whether everything published so far is handled."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

import nats.errors
import nats.js.errors

from ticketing_common.batching import Batcher, Operation
from ticketing_common.messaging import NatsConnection
from ticketing_common.telemetry import get_logger

log = get_logger(__name__)

SAMPLE_SECONDS: Final = 0.1
UNWATCHED_SECONDS: Final = 1.0
"""After this long without a sample the consumer may have moved unobserved, so the timeout starts again."""
RECONNECTED_SECONDS: Final = 3.0
"""For this long after a reconnect other services may still publish events that waited during the outage: they reconnect
within a second, and their sweep follows about a second later."""
CAUGHT_UP_SECONDS: Final = RECONNECTED_SECONDS + 1.0


@dataclass(frozen=True, slots=True)
class _Position:
    """The broker's state of one stream and one consumer on it."""

    last_sequence: int
    """Of the stream; 0 if the consumer is idle, because it is not queried then."""
    undelivered: int
    unacknowledged: int
    delivered: int
    acknowledged: int
    """All messages up to this sequence are acknowledged."""

    @property
    def idle(self) -> bool:
        """Whether nothing is left to be delivered or acknowledged."""
        return self.undelivered == 0 and self.unacknowledged == 0

    def has_passed(self, sequence: int) -> bool:
        """Whether no message up to `sequence` is still to be delivered or acknowledged.

        The two sequences alone do not show it: they stop at the last message that matches the consumer's filter.
        """
        return (self.undelivered == 0 or self.delivered >= sequence) and (
            self.unacknowledged == 0 or self.acknowledged >= sequence
        )


class ConsumerProgress:
    """Asks the broker, so the answer covers all replicas, and events that a killed replica held."""

    def __init__(self, connection: NatsConnection, stream: str, durable: str) -> None:
        self._connection = connection
        self._stream = stream
        self._durable = durable
        self._looked_at = self._moved_at = -inf
        self._acknowledged = 0
        operation = Operation(f"{durable} info", {"messaging.system": "nats", "messaging.operation.name": "info"})
        # Concurrent callers share one answer, which is requested after the last of them called.
        self._sample: Batcher[None, _Position | None] = Batcher(self._sample_for_all, operation)

    async def is_caught_up(self) -> bool:
        """Whether everything in the stream at this moment is handled, as `handled_until_now`, for a request.

        False at once without a connection, and after 4 s if the broker or the consumer is too slow.
        """
        if not self._connection.connected:
            return False
        try:
            async with asyncio.timeout(CAUGHT_UP_SECONDS):
                return await self.handled_until_now(timeout_seconds=CAUGHT_UP_SECONDS)
        except TimeoutError:
            return False

    async def handled_until_now(self, *, timeout_seconds: float) -> bool:
        """Wait until everything in the stream at this moment is handled.

        Events that are published later do not prolong the wait. Returns False when the consumer has made no
        progress for `timeout_seconds`: the cause blocks every caller, and later callers do not wait again. No answer
        from the broker counts as no progress.
        """
        await self._wait_after_reconnecting()
        target: int | None = None
        while True:
            position = await self._sample(None)
            if position is not None:
                target = position.last_sequence if target is None else target
                if position.has_passed(target):
                    return True
            if time.monotonic() - self._moved_at >= timeout_seconds:
                return False
            await asyncio.sleep(SAMPLE_SECONDS)

    async def _wait_after_reconnecting(self) -> None:
        # If the connection is lost meanwhile, the wait starts again.
        while (left := RECONNECTED_SECONDS - self._connection.connected_seconds) > 0:  # noqa: ASYNC110 (time decides)
            await asyncio.sleep(left)

    async def _sample_for_all(self, callers: Sequence[None]) -> list[_Position | None]:
        if time.monotonic() - self._looked_at > UNWATCHED_SECONDS:
            self._moved_at = time.monotonic()
        position = await self._ask()
        self._looked_at = time.monotonic()
        if position is not None and (position.idle or position.acknowledged != self._acknowledged):
            self._moved_at = self._looked_at
            self._acknowledged = position.acknowledged
        return [position] * len(callers)

    async def _ask(self) -> _Position | None:
        """None if the broker does not answer."""
        try:
            js = self._connection.js
            consumer = await js.consumer_info(self._stream, self._durable)
            idle = not consumer.num_pending and not consumer.num_ack_pending
            last_sequence = 0 if idle else (await js.stream_info(self._stream)).state.last_seq
        except (nats.errors.Error, nats.js.errors.Error, OSError) as error:
            log.debug("progress not known", consumer=self._durable, error=repr(error))
            return None
        return _Position(
            last_sequence=last_sequence,
            undelivered=consumer.num_pending or 0,
            unacknowledged=consumer.num_ack_pending or 0,
            delivered=consumer.delivered.stream_seq if consumer.delivered else 0,
            acknowledged=consumer.ack_floor.stream_seq if consumer.ack_floor else 0,
        )
