"""What becomes of a received message: it is handled and acknowledged, redelivered later, or dead-lettered."""

import random
import time
from collections import Counter
from collections.abc import Sequence
from typing import Final

import nats.errors
from nats.aio.msg import Msg

from ticketing_common.errors import PermanentError, UnavailableError
from ticketing_common.events import parse_event
from ticketing_common.messaging import NotPublishedError, RefusedError
from ticketing_common.resilience import with_pauses
from ticketing_common.storage import DatabaseUnavailableError
from ticketing_common.telemetry import consumer_span, get_logger, is_sampled
from ticketing_common.telemetry.metrics import CONSUMED, EVENT_SECONDS

from .dead_letters import DeadLetters
from .subscription import EventSubscription

log = get_logger(__name__)

FIRST_DELAY_SECONDS: Final = 0.1
LONGEST_DELAY_SECONDS: Final = 30.0

OUTCOMES: Final = ("handled", "retried_later", "dead_lettered", "unacknowledged")

_PASSING: Final = (*DatabaseUnavailableError, UnavailableError, NotPublishedError, ConnectionError)
"""Failures that the event did not cause: it is redelivered until they end."""


def delay_seconds(delivery: int) -> float:
    """Seconds before delivery `delivery + 1`: doubles from 0.1 s to 30 s, with 20 % jitter.

    A plain nak ignores the consumer's backoff list (measured), so every nak carries its delay.
    """
    delay: float = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(delivery - 1, 20))
    return delay * random.uniform(0.8, 1.2)  # noqa: S311 (jitter, not a secret)


class MessageHandling:
    """Handles the messages of one subscription. Raises nothing but a cancellation."""

    def __init__(self, subscription: EventSubscription, dead_letters: DeadLetters, *, service: str) -> None:
        self._subscription = subscription
        self._dead_letters = dead_letters
        self._durable = subscription.durable(service)
        self._seconds = EVENT_SECONDS.labels(service, self._durable)
        self._outcomes = {one: CONSUMED.labels(service, self._durable, one) for one in OUTCOMES}
        self._traced = {"messaging.system": "nats", "messaging.consumer.group.name": self._durable}

    def may_share_a_batch(self, message: Msg) -> bool:
        """Whether its event may be handled together with others. A recorded trace shows the work for its own event."""
        together = self._subscription.together
        return together is not None and _name(message) in together.names and not is_sampled(_traceparent(message))

    async def handle(self, messages: Sequence[Msg]) -> None:
        """Handle these messages, several only if each `may_share_a_batch`."""
        for group in _of_different_aggregates(messages):
            await self._handle_group(group)

    async def _handle_group(self, messages: Sequence[Msg]) -> None:
        if len(messages) == 1:
            await self._handle_alone(messages[0])
            return
        begun = time.perf_counter()
        try:
            await self._handle_together(messages)
        except (*DatabaseUnavailableError, ConnectionError) as error:
            seconds = time.perf_counter() - begun
            for message in messages:
                await self._retry_later(message, error)
                self._count("retried_later", seconds)
        except Exception as error:
            # One of them may be the cause: halve the batch until it is alone.
            log.info("batch not handled, halved", consumer=self._durable, events=len(messages), error=repr(error))
            middle = len(messages) // 2
            await self._handle_group(messages[:middle])
            await self._handle_group(messages[middle:])

    async def _handle_together(self, messages: Sequence[Msg]) -> None:
        """Handle these messages by the batch handler and acknowledge them; raises the handler's errors."""
        together = self._subscription.together
        if together is None:
            raise RuntimeError(f"{self._durable} has no batch handler")
        begun = time.perf_counter()
        with consumer_span("handle batch", None, self._traced):
            events = [parse_event(message.subject, message.data) async for message in with_pauses(messages)]
            await together.handle(events)
        seconds = time.perf_counter() - begun
        async for message in with_pauses(messages):
            self._count(await self._acknowledge(message), seconds)

    async def _handle_alone(self, message: Msg) -> None:
        begun = time.perf_counter()
        with consumer_span(f"handle {_name(message)}", _traceparent(message), self._traced) as span:
            outcome = await self._decide(message)
            span.set_attribute("outcome", outcome)
        self._count(outcome, time.perf_counter() - begun)

    def _count(self, outcome: str, seconds: float) -> None:
        self._outcomes[outcome].inc()
        self._seconds.observe(seconds)

    async def _decide(self, message: Msg) -> str:
        """Handle one message: acknowledge it, redeliver it later, or dead-letter it. Returns the outcome."""
        try:
            event = parse_event(message.subject, message.data)
            await self._subscription.handlers[type(event)](event)
        except _PASSING as error:
            await self._retry_later(message, error)
            return "retried_later"
        except PermanentError as error:
            await self._dead_letter(message, error)
            return "dead_lettered"
        except Exception as error:
            if message.metadata.num_delivered >= self._subscription.max_attempts:
                await self._dead_letter(message, error)
                return "dead_lettered"
            await self._retry_later(message, error)
            return "retried_later"
        return await self._acknowledge(message)

    async def _acknowledge(self, message: Msg) -> str:
        try:
            await message.ack()
        except nats.errors.Error as error:
            # Handled, but the acknowledgement was lost: the event is redelivered, and handlers are idempotent.
            log.warning("acknowledgement not sent", consumer=self._durable, error=repr(error))
            return "unacknowledged"
        return "handled"

    async def _retry_later(self, message: Msg, error: Exception) -> None:
        delivery = message.metadata.num_delivered
        delay = delay_seconds(delivery)
        log.warning(
            "event redelivered later",
            consumer=self._durable,
            subject=message.subject,
            delivery=delivery,
            again_in_seconds=round(delay, 2),
            error=repr(error),
            exc_info=error if delivery == 2 else None,
        )
        try:
            await message.nak(delay=delay)
        except nats.errors.Error as nak_error:
            log.debug("nak not sent, redelivered after ack_wait", consumer=self._durable, error=repr(nak_error))

    async def _dead_letter(self, message: Msg, error: Exception) -> None:
        try:
            await self._dead_letters.add(message, consumer=self._durable, error=error)
        except (NotPublishedError, RefusedError, nats.errors.Error) as publish_error:
            await self._retry_later(message, publish_error)


def _name(message: Msg) -> str:
    return message.subject.rpartition(".")[0]


def _traceparent(message: Msg) -> str | None:
    return (message.headers or {}).get("traceparent")


def _of_different_aggregates(messages: Sequence[Msg]) -> list[list[Msg]]:
    """The messages in as few groups as possible with at most one of each aggregate, each aggregate's in their order."""
    groups: list[list[Msg]] = []
    occurrences: Counter[str] = Counter()
    for message in messages:
        aggregate_id = message.subject.rpartition(".")[2]
        if occurrences[aggregate_id] == len(groups):
            groups.append([])
        groups[occurrences[aggregate_id]].append(message)
        occurrences[aggregate_id] += 1
    return groups
