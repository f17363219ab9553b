"""Events that could not be handled: copied to a stream of their own with the reason, before they are let go."""

import traceback
from typing import Final, Self

from nats.aio.msg import Msg
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ticketing_common.entity import utc_now
from ticketing_common.events.subjects import DEAD_LETTERS_SUBJECT
from ticketing_common.messaging import JetStreamPublisher, Message
from ticketing_common.telemetry import get_logger
from ticketing_common.telemetry.metrics import DEAD_LETTERS

from .advisories import COPIED

__all__ = ["DeadLetter", "DeadLetters"]

log = get_logger(__name__)

TERMINATE: Final = f"+TERM {COPIED}".encode()
"""The client's own `term()` cannot say why, and the broker's advisory of it would look like a lost message."""


class DeadLetter(BaseModel):
    """A message that was given up, with all that is needed to understand it and to send it again."""

    model_config = ConfigDict(frozen=True)

    consumer: str
    stream: str
    sequence: int = Field(description="its place in the stream it came from")
    subject: str
    headers: dict[str, str]
    body: str
    error: str
    stack: str
    attempts: int
    at: AwareDatetime

    @classmethod
    def of(cls, message: Msg, *, consumer: str, error: BaseException) -> Self:
        """Describe a message and the error that it died of."""
        return cls(
            consumer=consumer,
            stream=message.metadata.stream,
            sequence=message.metadata.sequence.stream,
            subject=message.subject,
            headers=dict(message.headers or {}),
            body=message.data.decode(errors="replace"),
            error=f"{type(error).__name__}: {error}"[:2_000],
            stack="".join(traceback.format_exception(error))[-16_000:],
            attempts=message.metadata.num_delivered,
            at=utc_now(),
        )

    @property
    def id(self) -> str:
        """The same message given up twice by the same consumer is one dead letter."""
        return f"dlq:{self.consumer}:{self.stream}:{self.sequence}"


class DeadLetters:
    """Buries messages: the copy is acknowledged by the broker first, then the original is let go."""

    def __init__(self, publisher: JetStreamPublisher) -> None:
        self._publisher = publisher

    async def add(self, message: Msg, *, consumer: str, error: BaseException) -> None:
        """Copy the message to the dead letters and end its redelivery.

        Raises `NotPublishedError` when the copy is not safe; the original then stays and comes again.
        """
        letter = DeadLetter.of(message, consumer=consumer, error=error)
        await self._publisher.publish(
            Message(f"{DEAD_LETTERS_SUBJECT}.{consumer}", letter.model_dump_json().encode(), letter.id)
        )
        await message.respond(TERMINATE)
        DEAD_LETTERS.labels(consumer).inc()
        log.error(
            "event buried in the dead letters",
            consumer=consumer,
            subject=letter.subject,
            sequence=letter.sequence,
            attempts=letter.attempts,
            error=letter.error,
        )
