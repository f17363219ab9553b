"""Publishing with acknowledgement, many at a time."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from nats.js.api import Header, PubAck
from nats.js.errors import APIError, NoStreamResponseError

from .connection import NatsConnection

__all__ = ["JetStreamPublisher", "Message", "NotPublishedError", "RefusedError", "Sent"]

ACK_SECONDS: Final = 10.0
"""Longer than a cluster needs to choose a new leader (4.3 s measured)."""


class NotPublishedError(Exception):
    """No acknowledgement came: the message may or may not be stored. Send it again; its id makes that harmless."""


class RefusedError(Exception):
    """The broker will never take this message (too large, say)."""


@dataclass(frozen=True, slots=True)
class Message:
    """What goes onto the bus. `id` is the broker's key for discarding duplicates (Nats-Msg-Id)."""

    subject: str
    body: bytes
    id: str
    headers: dict[str, str] = field(default_factory=dict)


Sent: TypeAlias = "asyncio.Task[PubAck] | NotPublishedError | RefusedError"
Outcome: TypeAlias = NotPublishedError | RefusedError | None


class JetStreamPublisher:
    """Sends in order, then waits for all acknowledgements together."""

    def __init__(self, connection: NatsConnection) -> None:
        self._connection = connection

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        """Put the messages on the wire in their order, without waiting for the broker's answers.

        While NATS is away nothing is sent: the client would buffer the bytes and send them at some later time, and the
        outbox keeps them better. A task per message, since the client's `publish_async` never tells of a refusal: its
        future just stays open (measured); tasks begin in their order, and are no slower.
        """
        if not self._connection.connected:
            return [NotPublishedError("NATS is away") for _ in messages]
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
        """For each message None once the broker has it, now or from an earlier time; otherwise the reason."""
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
