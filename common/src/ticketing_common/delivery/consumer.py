"""A durable pull consumer: acknowledges, redelivers later or dead-letters each event, and survives every outage."""

import asyncio
import random
import time
from typing import Final

import nats.errors
import nats.js.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from ticketing_common.errors import PermanentError, UnavailableError
from ticketing_common.events import parse_event
from ticketing_common.messaging import NatsConnection, NotPublishedError, RefusedError, consumer_config, ensure_consumer
from ticketing_common.resilience import cancel_and_wait
from ticketing_common.storage import DatabaseUnavailableError
from ticketing_common.telemetry import consumer_span, get_logger
from ticketing_common.telemetry.metrics import CONSUMED, CONSUMER_LAG, EVENT_SECONDS

from .dead_letters import DeadLetters
from .ordering import KeyedWorkers
from .subscription import EventSubscription

__all__ = ["Consumer"]

log = get_logger(__name__)

BATCH: Final = 100
MAX_IN_HAND: Final = 256
FETCH_SECONDS: Final = 2.0
"""Short, because a fetch that is open when the broker dies fails only at its timeout."""
BATCH_SECONDS: Final = 0.25
"""For messages known to wait; a fetch lasts this long only if another replica takes them first."""
STOP_SECONDS: Final = FETCH_SECONDS + 0.5
REBIND_SECONDS: Final = 1.0
FIRST_DELAY_SECONDS: Final = 0.1
LONGEST_DELAY_SECONDS: Final = 30.0
MAX_DELIVER: Final = 1_000
"""Far above `max_attempts`: during an outage of ours the broker must not stop delivering an event."""
MAX_ACK_PENDING: Final = MAX_IN_HAND * 16

OUTCOMES: Final = ("handled", "retried_later", "dead_lettered", "unacknowledged")

_PASSING: Final = (*DatabaseUnavailableError, UnavailableError, NotPublishedError, ConnectionError)
"""Failures that the event did not cause: it is redelivered until they end."""


def delay_seconds(delivery: int) -> float:
    """Seconds before delivery `delivery + 1`: doubles from 0.1 s to 30 s, with 20 % jitter.

    A plain nak ignores the consumer's backoff list (measured), so every nak carries its delay.
    """
    delay: float = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(delivery - 1, 20))
    return delay * random.uniform(0.8, 1.2)  # noqa: S311 (jitter, not a secret)


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
        self._dead_letters = dead_letters
        self._replicas = replicas
        self.durable = subscription.durable(service)
        self.joined = False
        """Whether it has been bound at least once. A later outage shows in the connection's health."""
        self._seconds = EVENT_SECONDS.labels(service, self.durable)
        self._outcomes = {one: CONSUMED.labels(service, self.durable, one) for one in OUTCOMES}
        self._traced = {"messaging.system": "nats", "messaging.consumer.group.name": self.durable}
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
                self._workers.submit(message.subject.rpartition(".")[2], message)
            waiting = messages[-1].metadata.num_pending if messages else 0
            if messages:
                CONSUMER_LAG.labels(self.durable).set(waiting)
            else:
                # The list is empty when the consumer was deleted during the fetch: check that it exists.
                await self._connection.js.consumer_info(self._subscription.stream, self.durable)

    async def _handle(self, message: Msg) -> None:
        traceparent = (message.headers or {}).get("traceparent")
        try:
            name = message.subject.rpartition(".")[0]
            begun = time.perf_counter()
            with consumer_span(f"handle {name}", traceparent, self._traced) as span:
                outcome = await self._decide(message)
                span.set_attribute("outcome", outcome)
            self._seconds.observe(time.perf_counter() - begun)
            self._outcomes[outcome].inc()
        except asyncio.CancelledError:
            await self._requeue(message)
            raise
        finally:
            self._in_hand.pop(message.reply, None)

    async def _decide(self, message: Msg) -> str:
        """Handle one message: acknowledge it, redeliver it later, or dead-letter it. Returns the outcome."""
        outcome = "handled"
        try:
            event = parse_event(message.subject, message.data)
            await self._subscription.handlers[type(event)](event)
            await message.ack()
        except _PASSING as error:
            outcome = "retried_later"
            await self._retry_later(message, error)
        except PermanentError as error:
            outcome = "dead_lettered"
            await self._dead_letter(message, error)
        except nats.errors.Error as error:
            # Handled, but the acknowledgement was lost: the event is redelivered, and handlers are idempotent.
            outcome = "unacknowledged"
            log.warning("acknowledgement not sent", consumer=self.durable, error=repr(error))
        except Exception as error:
            if message.metadata.num_delivered >= self._subscription.max_attempts:
                outcome = "dead_lettered"
                await self._dead_letter(message, error)
            else:
                outcome = "retried_later"
                await self._retry_later(message, error)
        return outcome

    async def _retry_later(self, message: Msg, error: Exception) -> None:
        delivery = message.metadata.num_delivered
        delay = delay_seconds(delivery)
        log.warning(
            "event redelivered later",
            consumer=self.durable,
            subject=message.subject,
            delivery=delivery,
            again_in_seconds=round(delay, 2),
            error=repr(error),
            exc_info=error if delivery == 2 else None,
        )
        try:
            await message.nak(delay=delay)
        except nats.errors.Error as nak_error:
            log.debug("nak not sent, redelivered after ack_wait", consumer=self.durable, error=repr(nak_error))

    async def _dead_letter(self, message: Msg, error: Exception) -> None:
        try:
            await self._dead_letters.add(message, consumer=self.durable, error=error)
        except (NotPublishedError, RefusedError, nats.errors.Error) as publish_error:
            await self._retry_later(message, publish_error)

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
