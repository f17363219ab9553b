"""Dead letters: events that no handler could process, copied with the error to their own stream."""

import traceback
from typing import Final, Self

from nats.aio.msg import Msg
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ticketing_common.entity import utc_now
from ticketing_common.messaging import JetStreamPublisher, Message
from ticketing_common.telemetry import get_logger
from ticketing_common.telemetry.metrics import DEAD_LETTERS
from ticketing_common.topology import DEAD_LETTERS_SUBJECT

from .advisories import COPIED

log = get_logger(__name__)

TERMINATE: Final = f"+TERM {COPIED}".encode()
"""The client's own `term()` takes no reason, and its advisory would look like a lost message."""


class DeadLetter(BaseModel):
    """A message that failed for good, with everything needed to understand and to replay it."""

    model_config = ConfigDict(frozen=True)

    consumer: str
    stream: str
    sequence: int = Field(description="its sequence in its original stream")
    subject: str
    headers: dict[str, str]
    body: str
    error: str
    stack: str
    attempts: int
    at: AwareDatetime

    @classmethod
    def of(cls, message: Msg, *, consumer: str, error: BaseException) -> Self:
        """Describe a message and the error that its handler raised."""
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
        """Deduplication id: one dead letter per message and consumer."""
        return f"dlq:{self.consumer}:{self.stream}:{self.sequence}"


class DeadLetters:
    """Dead-letters messages: the broker acknowledges the copy first, then the original is terminated."""

    def __init__(self, publisher: JetStreamPublisher) -> None:
        self._publisher = publisher

    async def add(self, message: Msg, *, consumer: str, error: BaseException) -> None:
        """Copy the message to the dead letters and terminate its redelivery.

        Raises `NotPublishedError` if the copy is not acknowledged; the original is then redelivered.
        """
        letter = DeadLetter.of(message, consumer=consumer, error=error)
        await self._publisher.publish(
            Message(f"{DEAD_LETTERS_SUBJECT}.{consumer}", letter.model_dump_json().encode(), letter.id)
        )
        await message.respond(TERMINATE)
        DEAD_LETTERS.labels(consumer).inc()
        log.error(
            "event dead-lettered",
            consumer=consumer,
            subject=letter.subject,
            sequence=letter.sequence,
            attempts=letter.attempts,
            error=letter.error,
        )
