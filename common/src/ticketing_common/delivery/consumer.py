"""A durable pull consumer: commits and acknowledges, puts off, or buries; and comes back from every outage."""

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
"""Short: a fetch that is under way when the broker dies is noticed only at its end."""
BATCH_SECONDS: Final = 0.25
"""For what is there already; only another replica that takes it first makes us wait that long."""
STOP_SECONDS: Final = FETCH_SECONDS + 0.5
REBIND_SECONDS: Final = 1.0
FIRST_DELAY_SECONDS: Final = 0.1
LONGEST_DELAY_SECONDS: Final = 30.0
MAX_DELIVER: Final = 1_000
"""Far above `max_attempts`: an outage of ours must not let the broker give up on an event by itself."""
MAX_ACK_PENDING: Final = MAX_IN_HAND * 16

OUTCOMES: Final = ("handled", "retried_later", "dead_lettered", "unacknowledged")

_PASSING: Final = (*DatabaseUnavailableError, UnavailableError, NotPublishedError, ConnectionError)
"""Not the event's fault: tried again for as long as it takes."""


def delay_seconds(delivery: int) -> float:
    """How long to wait before delivery `delivery + 1`: doubling from 0.1 s to 30 s, give or take a fifth.

    A plain nak ignores the consumer's backoff list (measured), so the delay is always ours.
    """
    delay: float = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(delivery - 1, 20))
    return delay * random.uniform(0.8, 1.2)  # noqa: S311 (jitter, not a secret)


class Consumer:
    """One subscription at work in one replica."""

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
        """Whether it has been bound once. When the broker goes away later, that is for the connection to tell."""
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
        """Whether the durable exists and this replica takes part in it."""
        return self._pull is not None

    def start(self) -> None:
        """Begin to consume; binds in the background and goes on trying until the stream exists."""
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._heartbeat())]

    async def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Take nothing more, hand back at once for another replica what is not begun, and finish what is.

        The fetch under way is left to end by itself if it does in time: cancelled, its request would stay on the broker
        and swallow the next message until `ack_wait` (measured). Either way the subscription ends before anything is
        handed back, or that request would take it again and nobody would see it.
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
                log.warning("consumer not bound, trying again", consumer=self.durable, error=repr(error))
            except Exception:
                log.exception("consumer stumbled, binding again", consumer=self.durable)
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
        """Fetch and hand out until told to stop, or until the consumer is gone.

        While nothing is there one message is asked for, then as many as are known to wait. A larger request that waits
        stays open after its first message, and the client's next fetch then keeps the second one to itself until that
        request expires (measured: up to 2 s late).
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
            except TimeoutError:  # nothing there; the NATS client's own timeouts are among them
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
                # An empty list comes when the consumer was deleted while the fetch was under way: look before going on.
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
        """Handle one message; every way out either acknowledges, puts off, or buries it. Which of them it was."""
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
            # Handled, but the acknowledgement got lost: it comes again, and handlers bear that.
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
            "event put off",
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
            log.debug("nak not sent, ack_wait will bring it back", consumer=self.durable, error=repr(nak_error))

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
            log.debug("not given back, ack_wait will", consumer=self.durable, error=repr(error))

    async def _heartbeat(self) -> None:
        """Tell the broker that slow work is still going on, so that it does not give it to somebody else as well."""
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
