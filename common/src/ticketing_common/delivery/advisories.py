"""What the broker says when it stops delivering a message by itself: the net under the dead letters.

Nothing here is expected to happen: a consumer buries what it cannot handle long before the broker gives up, and says so
when it ends a message. An advisory without that reason is an event that somebody has lost track of.
"""

from typing import Final, Literal

import nats.js.errors
from nats.js import JetStreamContext
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from ticketing_common.events.subjects import ADVISORIES

__all__ = ["COPIED", "Advisory", "given_up"]

COPIED: Final = "copied to the dead letters"
"""The reason with which a consumer ends a message that it has buried."""
NEXT_SECONDS: Final = 5.0


class Advisory(BaseModel):
    """One message that the broker will not deliver again to one consumer; it is still in its stream."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: Literal["io.nats.jetstream.advisory.v1.max_deliver", "io.nats.jetstream.advisory.v1.terminated"]
    stream: str
    consumer: str
    sequence: int = Field(alias="stream_seq", description="its place in the stream")
    deliveries: int
    at: AwareDatetime = Field(alias="timestamp")
    reason: str = ""

    @property
    def id(self) -> str:
        """Of the event and of the consumer that it was meant for."""
        return f"{self.consumer}:{self.stream}:{self.sequence}"

    @property
    def expected(self) -> bool:
        """Whether the consumer itself ended it, after copying it to the dead letters."""
        return self.reason == COPIED


async def given_up(js: JetStreamContext) -> list[tuple[int, Advisory]]:
    """Messages that are in no consumer's hands and not among the dead letters, with the advisory's own sequence."""
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
