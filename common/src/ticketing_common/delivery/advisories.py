"""Advisories: the broker reports that it stopped delivering a message. A safety net below the dead letters.

No advisory is expected: a consumer dead-letters what it cannot handle long before the broker stops, and gives a reason
when it terminates a message. An advisory without that reason stands for an event that no consumer will handle.
"""

from typing import Final, Literal

import nats.js.errors
from nats.js import JetStreamContext
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ticketing_common.topology import ADVISORIES

COPIED: Final = "copied to the dead letters"
"""The reason with which a consumer terminates a message that it has dead-lettered."""
NEXT_SECONDS: Final = 5.0


class Advisory(BaseModel):
    """One message that the broker will not deliver again to one consumer; it is still in its stream."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: Literal["io.nats.jetstream.advisory.v1.max_deliver", "io.nats.jetstream.advisory.v1.terminated"]
    stream: str
    consumer: str
    sequence: int = Field(alias="stream_seq", description="its sequence in the stream")
    deliveries: int
    at: AwareDatetime = Field(alias="timestamp")
    reason: str = ""

    @property
    def id(self) -> str:
        """Identifies the event and the consumer that did not handle it."""
        return f"{self.consumer}:{self.stream}:{self.sequence}"

    @property
    def expected(self) -> bool:
        """Whether the consumer itself terminated the message, after copying it to the dead letters."""
        return self.reason == COPIED


async def given_up(js: JetStreamContext) -> list[tuple[int, Advisory]]:
    """Messages that no consumer holds and that are not dead letters, each with the sequence of its advisory."""
    try:
        state = (await js.stream_info(ADVISORIES)).state
    except nats.js.errors.NotFoundError:
        return []
    if not state.messages:
        return []
    found = []
    subscription = await js.subscribe("", stream=ADVISORIES, ordered_consumer=True)
    for _ in range(state.messages):
        message = await subscription.next_msg(timeout=NEXT_SECONDS)
        advisory = Advisory.model_validate_json(message.data)
        if not advisory.expected:
            found.append((message.metadata.sequence.stream, advisory))
    await subscription.unsubscribe()
    return found
