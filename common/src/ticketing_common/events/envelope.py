"""The CloudEvents 1.0 envelope in structured JSON mode. The outbox stores the same bytes that are published."""

from datetime import UTC, datetime
from secrets import token_hex
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from ticketing_common.entity import utc_now

TYPE_PREFIX = "dev.ticketing."


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # 9999-12-31T23:59:59-01:00, which no database here can store
        raise ValueError("Input should be a time of the years 1 to 9999 in UTC") from None


EventTime: TypeAlias = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time with an offset, as UTC: an event with a time that cannot be stored is a permanent error, not a passing one."""


class EventData(BaseModel):
    """The full public state of an aggregate at one version; readers ignore fields that they do not know."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    version: int = Field(ge=1, description="grows by one with every change of the aggregate")


class Event(BaseModel):
    """A fact about one aggregate.

    Attributes follow the CloudEvents 1.0 specification; `traceparent` is its Distributed Tracing extension
    (W3C Trace Context). `NAME` is the event's name here, `order.created`, and the start of its NATS subject.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    NAME: ClassVar[str]
    SCHEMA_VERSION: ClassVar[int] = 1

    specversion: Literal["1.0"] = "1.0"
    id: str = Field(default_factory=lambda: token_hex(16))
    source: str
    type: str
    subject: str = Field(description="the aggregate's id")
    time: EventTime = Field(default_factory=utc_now)
    datacontenttype: Literal["application/json"] = "application/json"
    traceparent: str | None = None
    data: EventData

    @classmethod
    def event_type(cls) -> str:
        """The CloudEvents type with the major version of the schema: `dev.ticketing.order.created.v1`."""
        return f"{TYPE_PREFIX}{cls.NAME}.v{cls.SCHEMA_VERSION}"

    @classmethod
    def of(cls, data: EventData, *, time: datetime | None = None, traceparent: str | None = None) -> Self:
        """An event about `data`, now; `source` is the stream's noun, because each noun has one owner.

        `traceparent` is for an event that continues another trace than the current one.
        """
        noun = cls.NAME.partition(".")[0]
        fields: dict[str, Any] = {
            "source": f"/{noun}s",
            "type": cls.event_type(),
            "subject": data.id,
            "data": data,
            "traceparent": traceparent,
        }
        return cls(**fields) if time is None else cls(**fields, time=time)

    def in_trace(self, traceparent: str | None) -> Self:
        """The same event as part of this trace; of the current one if None."""
        return self.model_copy(update={"traceparent": traceparent}) if traceparent else self

    @property
    def nats_subject(self) -> str:
        """`<noun>.<past participle>.<aggregate id>`."""
        return f"{self.NAME}.{self.subject}"

    def to_json(self) -> bytes:
        """The structured-mode JSON body; omits absent attributes, as the specification requires."""
        return self.model_dump_json(exclude=None if self.traceparent else {"traceparent"}).encode()
