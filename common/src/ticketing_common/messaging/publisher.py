"""Publishing with acknowledgements, many messages at a time."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from nats.js.api import Header, PubAck
from nats.js.errors import APIError, NoStreamResponseError

from .connection import NatsConnection

ACK_SECONDS: Final = 10.0
"""Longer than a cluster needs to choose a new leader (4.3 s measured)."""


class NotPublishedError(Exception):
    """No acknowledgement arrived; the message may be stored or not. Publish it again: its id prevents a duplicate."""


class RefusedError(Exception):
    """The broker will never accept this message (for example, too large)."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message for the bus. The broker discards duplicates of `id` (Nats-Msg-Id)."""

    subject: str
    body: bytes
    id: str
    headers: dict[str, str] = field(default_factory=dict)


Sent: TypeAlias = "asyncio.Task[PubAck] | NotPublishedError | RefusedError"
Outcome: TypeAlias = NotPublishedError | RefusedError | None


class JetStreamPublisher:
    """Sends messages in order, then waits for all acknowledgements together."""

    def __init__(self, connection: NatsConnection) -> None:
        self._connection = connection

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        """Send the messages in order, without waiting for acknowledgements.

        During an outage of NATS it sends nothing: the client would buffer the bytes and send them later, and the outbox
        keeps them more safely. Uses one task per message, because the future of the client's `publish_async` stays open
        after a refusal (measured). Tasks start in order, and are as fast.
        """
        if not self._connection.connected:
            return [NotPublishedError("NATS unavailable") for _ in messages]
        js, limit = self._connection.js, self._connection.client.max_payload
        sent: list[Sent] = []
        for message in messages:
            if len(message.body) > limit:
                sent.append(RefusedError(f"{len(message.body)} bytes are more than the broker's {limit}"))
                continue
            headers = {**message.headers, Header.MSG_ID.value: message.id}
            sent.append(asyncio.create_task(js.publish(message.subject, message.body, ACK_SECONDS, headers=headers)))
        return sent

    async def outcomes(self, sent: Sequence[Sent]) -> list[Outcome]:
        """For each message None if the broker stores it, now or earlier; otherwise the error."""
        tasks = [one for one in sent if isinstance(one, asyncio.Task)]
        if tasks:
            await asyncio.wait(tasks, timeout=ACK_SECONDS + 1)
        return [_outcome(one) if isinstance(one, asyncio.Task) else one for one in sent]

    async def publish(self, message: Message) -> None:
        """Send one message and wait for its acknowledgement; raises `NotPublishedError` or `RefusedError`."""
        (outcome,) = await self.outcomes(self.send([message]))
        if outcome is not None:
            raise outcome


def _outcome(task: "asyncio.Task[PubAck]") -> Outcome:
    if not task.done():
        task.cancel()
        return NotPublishedError("no acknowledgement in time")
    if task.cancelled():
        return NotPublishedError("given up")
    error = task.exception()
    if error is None:
        return None
    if isinstance(error, APIError) and not isinstance(error, NoStreamResponseError) and error.code == 400:
        return RefusedError(str(error))
    return NotPublishedError(repr(error))
