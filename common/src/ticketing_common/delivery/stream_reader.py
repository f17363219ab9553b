"""A stream reader: every event from now on, in order, each once, without a durable consumer on the broker."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import uuid4

import nats.errors
import nats.js.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, StreamInfo

from ticketing_common.messaging import NatsConnection
from ticketing_common.resilience import cancel_and_wait
from ticketing_common.telemetry import get_logger

log = get_logger(__name__)

FETCH_SECONDS: Final = 2.0
BATCH: Final = 256
BATCH_SECONDS: Final = 0.2
FORGOTTEN_SECONDS: Final = 30.0
"""The broker removes an unused consumer after this long; it must exceed the pause between two fetches."""
REBIND_SECONDS: Final = 0.5
LEAVING_SECONDS: Final = 1.0


class _Interrupted(Exception):  # noqa: N818 (not an error, and private)
    """A message was lost on its way: read on after the last one that arrived."""


class StreamReader:
    """Reads every event in every replica, unlike a `Consumer`, whose replicas share the events.

    It starts `history` events before the end of the stream, and is `caught_up` once it has read what the stream held
    at the start. It calls `on_event(sequence, subject, body)` for each event, without gaps in the sequences. If events
    were removed before they were read, or the stream was recreated, it calls `on_gap` first. Both callbacks must be
    quick.

    The broker keeps the consumer in memory only; after a loss the reader continues by sequence. The ordered consumer of
    nats-py is not used: it is push-based, and after a broker restart it waits for two missed heartbeats.
    """

    def __init__(
        self,
        connection: NatsConnection,
        stream: str,
        *,
        on_event: Callable[[int, str, bytes], None],
        on_gap: Callable[[], None],
        history: int = 0,
    ) -> None:
        self.stream = stream
        self.caught_up = False
        self.position = 0
        """The sequence of the last event read; events before the start count as read."""
        self.waiting = 0
        """How many events the stream had beyond `position` at the last fetch."""
        self._connection = connection
        self._on_event = on_event
        self._on_gap = on_gap
        self._history = history
        self._made_at: datetime | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self) -> None:
        """Start reading in the background; retries until the stream exists."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop reading; the open fetch ends by itself or with the connection."""
        self._stopping = True
        await cancel_and_wait(self._task)

    async def _run(self) -> None:
        while not self._stopping:
            try:
                await self._read()
            except _Interrupted:
                continue
            except (nats.errors.Error, nats.js.errors.Error, OSError, TimeoutError) as error:
                log.debug("stream not readable, retrying", stream=self.stream, error=repr(error))
            except Exception:
                log.exception("stream reader failed, reading on", stream=self.stream)
            await asyncio.sleep(REBIND_SECONDS)

    async def _read(self) -> None:
        """Read until an error or `stop`."""
        js = self._connection.js
        info: StreamInfo = await js.stream_info(self.stream)
        self._find_position(info)
        goal = info.state.last_seq
        name = f"tail-{uuid4().hex}"
        await js.add_consumer(
            self.stream,
            ConsumerConfig(
                name=name,
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=self.position + 1,
                ack_policy=AckPolicy.NONE,
                inactive_threshold=FORGOTTEN_SECONDS,
                mem_storage=True,
                num_replicas=1,
            ),
        )
        pull = await js.pull_subscribe_bind(name, stream=self.stream)
        try:
            self.caught_up = self.caught_up or self.position >= goal
            await self._follow(pull, goal)
        finally:
            await self._leave(js, pull, name)

    async def _leave(self, js: JetStreamContext, pull: JetStreamContext.PullSubscription, name: str) -> None:
        """Delete the consumer now; the broker would remove it later by itself."""
        if not self._connection.connected:
            return
        try:
            async with asyncio.timeout(LEAVING_SECONDS):
                await pull.unsubscribe()  # no further messages on it
                await js.delete_consumer(self.stream, name)
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
            log.debug("consumer not removed", consumer=name, error=repr(error))

    async def _follow(self, pull: JetStreamContext.PullSubscription, goal: int) -> None:
        self.waiting = goal - self.position
        received = 0
        while not self._stopping:
            try:
                # One message while the stream is empty, then as many as are known to wait: see `Consumer._consume`.
                messages: list[Msg] = await pull.fetch(
                    max(1, min(self.waiting, BATCH)), timeout=FETCH_SECONDS if self.waiting <= 1 else BATCH_SECONDS
                )
            except TimeoutError:  # no message; includes the NATS client's own timeouts
                self.waiting = 0
                continue
            if not messages:  # the consumer was deleted during the fetch
                raise _Interrupted
            for message in messages:
                received += 1
                if message.metadata.sequence.consumer != received:
                    raise _Interrupted
                self._take(message)
            self.waiting = messages[-1].metadata.num_pending
            self.caught_up = self.caught_up or self.position >= goal

    def _take(self, message: Msg) -> None:
        sequence = message.metadata.sequence.stream
        if sequence != self.position + 1:
            log.warning("events were removed from the stream", stream=self.stream, after=self.position, before=sequence)
            self.position = sequence - 1
            self._on_gap()
        self.position = sequence
        try:
            self._on_event(sequence, message.subject, message.data)
        except Exception:
            # A live view must not stop the stream; the consumers dead-letter such an event.
            log.exception("event not shown", stream=self.stream, sequence=sequence)

    def _find_position(self, info: StreamInfo) -> None:
        """Continue after the last event read, if the stream still has it."""
        state = info.state
        made_at = info.created
        beginning = max(state.first_seq - 1, state.last_seq - self._history, 0)
        if self._made_at is None:
            self.position = beginning
        elif made_at != self._made_at or state.last_seq < self.position:
            log.warning("the stream was recreated", stream=self.stream, was_at=self.position, is_at=state.last_seq)
            self.position = beginning
            self._on_gap()
        elif state.first_seq > self.position + 1:
            log.warning("events were removed from the stream", stream=self.stream, after=self.position)
            self.position = state.first_seq - 1
            self._on_gap()
        self._made_at = made_at
