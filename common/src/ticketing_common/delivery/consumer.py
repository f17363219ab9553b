"""A durable pull consumer: acknowledges, redelivers later or dead-letters each event, and survives every outage."""

import asyncio
from collections.abc import Sequence
from typing import Final

import nats.errors
import nats.js.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from ticketing_common.messaging import NatsConnection, consumer_config, ensure_consumer
from ticketing_common.resilience import cancel_and_wait
from ticketing_common.telemetry import get_logger
from ticketing_common.telemetry.metrics import CONSUMER_LAG

from .dead_letters import DeadLetters
from .handling import MessageHandling
from .ordering import KeyedWorkers
from .subscription import EventSubscription

log = get_logger(__name__)

BATCH: Final = 100
MAX_IN_HAND: Final = 256
FETCH_SECONDS: Final = 2.0
"""Short, because a fetch that is open when the broker dies fails only at its timeout."""
BATCH_SECONDS: Final = 0.25
"""For messages known to wait; a fetch lasts this long only if another replica takes them first."""
STOP_SECONDS: Final = FETCH_SECONDS + 0.5
REBIND_SECONDS: Final = 1.0
MAX_DELIVER: Final = 1_000
"""Far above `max_attempts`: during an outage of ours the broker must not stop delivering an event."""
MAX_ACK_PENDING: Final = MAX_IN_HAND * 16

BATCHED: Final = ""
"""The key of all messages that may share a batch; no aggregate has this id."""


class Consumer:
    """Runs one subscription in one replica."""

    def __init__(
        self,
        connection: NatsConnection,
        subscription: EventSubscription,
        dead_letters: DeadLetters,
        *,
        service: str,
        replicas: int,
    ) -> None:
        self._connection = connection
        self._subscription = subscription
        self._handling = MessageHandling(subscription, dead_letters, service=service)
        self._replicas = replicas
        self.durable = subscription.durable(service)
        self.joined = False
        """Whether it has been bound at least once. A later outage shows in the connection's health."""
        self._pull: JetStreamContext.PullSubscription | None = None
        self._workers: KeyedWorkers[Msg] = KeyedWorkers(
            self._handle, concurrency=subscription.concurrency, capacity=MAX_IN_HAND
        )
        # By reply subject, which is unique per delivery; a message itself cannot be hashed.
        self._in_hand: dict[str, Msg] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()

    @property
    def bound(self) -> bool:
        """Whether the durable exists and this replica is bound to it."""
        return self._pull is not None

    def start(self) -> None:
        """Start consuming. Binding runs in the background and retries until the stream exists."""
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._heartbeat())]

    async def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Fetch nothing more, return messages that have not started to other replicas, and finish the others.

        The open fetch may end by itself if it does so in time: if it is cancelled, its request stays on the broker and
        takes the next message until `ack_wait` expires (measured). In both cases the subscription ends before messages
        are returned; otherwise the open request would receive them again, unseen.
        """
        self._stopping.set()
        if not self._tasks:
            return
        run, heartbeat = self._tasks
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        await asyncio.wait([run], timeout=seconds)
        await cancel_and_wait(run)
        if self._connection.connected:
            await self._unbind()
        for message in self._workers.remove_waiting():
            await self._requeue(message)
        await self._workers.finish(max(0.0, deadline - loop.time()))
        await cancel_and_wait(heartbeat)

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._bind()
                await self._consume()
            except (nats.errors.Error, nats.js.errors.Error, OSError, TimeoutError) as error:
                log.warning("consumer not bound, retrying", consumer=self.durable, error=repr(error))
            except Exception:
                log.exception("consumer failed, binding again", consumer=self.durable)
            else:
                continue
            await self._unbind()
            await self._pause(REBIND_SECONDS)

    async def _bind(self) -> None:
        if self._pull is not None:
            return
        js = self._connection.js
        await ensure_consumer(
            js,
            self._subscription.stream,
            consumer_config(
                self.durable,
                filter_subjects=self._subscription.filter_subjects,
                ack_wait_seconds=self._subscription.ack_wait_seconds,
                max_ack_pending=MAX_ACK_PENDING,
                max_deliver=MAX_DELIVER,
                replicas=self._replicas,
            ),
        )
        self._pull = await js.pull_subscribe_bind(self.durable, stream=self._subscription.stream)
        self.joined = True

    async def _unbind(self) -> None:
        pull, self._pull = self._pull, None
        if pull is not None:
            try:
                await pull.unsubscribe()
            except nats.errors.Error as error:
                log.debug("unsubscribe failed", consumer=self.durable, error=repr(error))

    async def _consume(self) -> None:
        """Fetch and dispatch until `stop` is called or the consumer is gone.

        While the stream is empty the fetch asks for one message, then for as many as are known to wait. A larger
        request stays open after its first message, and the client's next fetch then holds back the second message until
        that request expires (measured: up to 2 s late).
        """
        waiting = 0
        while not self._stopping.is_set():
            await self._workers.wait_for_capacity(1)
            if self._pull is None:
                return
            try:
                messages = await self._pull.fetch(
                    max(1, min(waiting, BATCH, self._workers.capacity)),
                    timeout=FETCH_SECONDS if waiting <= 1 else BATCH_SECONDS,
                )
            except TimeoutError:  # no message; includes the NATS client's own timeouts
                waiting = 0
                if self._connection.connected:
                    CONSUMER_LAG.labels(self.durable).set(0)
                continue
            for message in messages:
                self._in_hand[message.reply] = message
                if self._handling.may_share_a_batch(message):
                    self._workers.submit(BATCHED, message, at_once=BATCH)
                else:
                    self._workers.submit(message.subject.rpartition(".")[2], message)
            waiting = messages[-1].metadata.num_pending if messages else 0
            if messages:
                CONSUMER_LAG.labels(self.durable).set(waiting)
            else:
                # The list is empty when the consumer was deleted during the fetch: check that it exists.
                await self._connection.js.consumer_info(self._subscription.stream, self.durable)

    async def _handle(self, messages: Sequence[Msg]) -> None:
        try:
            await self._handling.handle(messages)
        except asyncio.CancelledError:
            for message in messages:
                await self._requeue(message)
            raise
        finally:
            for message in messages:
                self._in_hand.pop(message.reply, None)

    async def _requeue(self, message: Msg) -> None:
        self._in_hand.pop(message.reply, None)
        try:
            await message.nak()
        except nats.errors.Error as error:
            log.debug("message not returned, redelivered after ack_wait", consumer=self.durable, error=repr(error))

    async def _heartbeat(self) -> None:
        """Report slow work to the broker as in progress, so that it does not redeliver it to another replica."""
        while True:
            await asyncio.sleep(self._subscription.ack_wait_seconds / 3)
            for message in list(self._in_hand.values()):
                if message.is_acked:  # others of its batch are not done; a heartbeat would replace the delay of a nak
                    continue
                try:
                    await message.in_progress()
                except nats.errors.Error as error:
                    log.debug("heartbeat not sent", consumer=self.durable, error=repr(error))
                    break

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return
