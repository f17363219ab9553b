"""The bodies and queries of requests, and the bodies of responses."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from fastapi import Depends, Query
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, TypeAdapter, WithJsonSchema
from pydantic_core import PydanticCustomError

from ticketing_common.entity import utc_now
from ticketing_common.errors import FieldError, InvalidInputError
from ticketing_common.events import TicketData, TicketStatus
from ticketing_common.web import ONE_LINE, PARAGRAPHS, ApiModel, Instant, Price, RequestModel, from_cents

from .domain import (
    LISTED,
    ShownStatus,
    Ticket,
    TicketDetails,
    TicketSearch,
    TicketSort,
    shown_status,
    words_of,
)

MAX_SEATS: Final = 20_000
"""The most seats of one listing: a large arena."""

MAX_WORDS: Final = 10
"""A longer search uses its first ten words: each word has a cost, and ten are specific enough."""

_DECIMAL: Final = re.compile(r"\d{1,9}(\.\d{1,2})?", re.ASCII)


def _in_future(instant: datetime) -> datetime:
    if instant <= utc_now():
        raise PydanticCustomError("future", "Input should be in the future")
    return instant


def _to_price_bound(value: Any) -> int:
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise PydanticCustomError("price_bound", "Input should be a decimal number with at most two places")
    return int(Decimal(value) * 100)


PriceBound: TypeAlias = Annotated[
    int,
    BeforeValidator(_to_price_bound),
    WithJsonSchema({"type": "number", "minimum": 0, "multipleOf": 0.01}),
]
"""A price in a query, in integer cents. Unlike a ticket's price it may be 0 or above the highest ticket price."""

_Title: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=200), ONE_LINE]
_Description: TypeAlias = Annotated[str, StringConstraints(max_length=2_000), PARAGRAPHS]
_Venue: TypeAlias = Annotated[str, StringConstraints(max_length=200), ONE_LINE]


def _blank_is_absent(text: str | None) -> str | None:
    return text or None


class TicketChangeRequest(RequestModel):
    """The seller's details of a listing. They replace the stored ones, so a field that is left out becomes null.

    Texts are trimmed, and an empty description or venue is null. Whether `startsAt` may be in the past depends on the
    stored ticket. Without `quantity` the number of seats stays as it is.
    """

    title: _Title
    price: Price
    description: Annotated[_Description | None, AfterValidator(_blank_is_absent)] = None
    venue: Annotated[_Venue | None, AfterValidator(_blank_is_absent)] = None
    starts_at: Instant | None = None
    quantity: Annotated[int, Field(ge=1, le=MAX_SEATS)] | None = None

    def details(self) -> TicketDetails:
        """The details as the domain's type."""
        return TicketDetails(price_cents=self.price, **self.model_dump(exclude={"price"}))


class TicketRequest(TicketChangeRequest):
    """A new listing. Like a change, but `startsAt` must be in the future, and `quantity` defaults to one seat."""

    starts_at: Annotated[Instant, AfterValidator(_in_future)] | None = None
    quantity: Annotated[int, Field(ge=1, le=MAX_SEATS)] = 1


class TicketResponse(ApiModel):
    """The public view of a ticket."""

    id: str
    title: str
    description: str | None
    venue: str | None
    starts_at: datetime | None
    price: float = Field(description="of one seat, decimal, at most two places")
    currency: str
    quantity: int = Field(description="seats on sale, taken ones included")
    available: int = Field(description="free seats")
    status: ShownStatus
    user_id: str = Field(description="the seller")
    version: int
    created_at: datetime

    @classmethod
    def of(cls, ticket: Ticket | TicketData) -> Self:
        """The response for a ticket, from the stored ticket or from an event; it does not name the holder."""
        return cls(
            id=ticket.id,
            title=ticket.title,
            description=ticket.description,
            venue=ticket.venue,
            starts_at=ticket.starts_at,
            price=from_cents(ticket.price_cents),
            currency=ticket.currency,
            quantity=ticket.quantity,
            available=ticket.free_seats,
            status=shown_status(ticket.status, ticket.starts_at, utc_now()),
            user_id=ticket.user_id,
            version=ticket.version,
            created_at=ticket.created_at,
        )


_LISTED: Final = TypeAdapter(list[TicketResponse])


def revised(body: bytes, *, without_ended: bool) -> bytes:
    """A cached list, corrected by the current time: listings whose event has begun are shown as ended or left out."""
    now = utc_now()
    listed = _LISTED.validate_json(body)
    begun = {
        ticket.id
        for ticket in listed
        if ticket.status is ShownStatus.AVAILABLE and ticket.starts_at is not None and ticket.starts_at <= now
    }
    if not begun:
        return body
    if without_ended:
        present = [ticket for ticket in listed if ticket.id not in begun]
    else:
        ended = {"status": ShownStatus.ENDED}
        present = [ticket.model_copy(update=ended) if ticket.id in begun else ticket for ticket in listed]
    return _LISTED.dump_json(present, by_alias=True)


class DeletedTicketResponse(ApiModel):
    """The remaining fields of a deleted ticket."""

    id: str
    version: int


SEARCH: Final = ("q", "minPrice", "maxPrice", "from", "to", "sort", "status")
"""The query parameters of `ticket_search`."""

_empty_is_absent: Final = BeforeValidator(lambda value: None if value == "" else value)
"""Forms send empty fields too."""


_Q: Final = "beginnings of words in title and venue; all must occur, and a text without any word finds nothing"


async def ticket_search(
    q: Annotated[str, Query(max_length=200, description=_Q)] = "",
    min_price: Annotated[PriceBound | None, _empty_is_absent, Query(alias="minPrice")] = None,
    max_price: Annotated[PriceBound | None, _empty_is_absent, Query(alias="maxPrice")] = None,
    starts_from: Annotated[Instant | None, _empty_is_absent, Query(alias="from", description="of startsAt")] = None,
    starts_to: Annotated[Instant | None, _empty_is_absent, Query(alias="to", description="of startsAt")] = None,
    sort: Annotated[TicketSort, Query()] = TicketSort.NEWEST,
    status: Annotated[Literal["available", "held", "sold", "all"], Query()] = "available",
) -> TicketSearch:
    """The search of a request; raises `InvalidInputError` for reversed bounds."""
    errors = []
    if min_price is not None and max_price is not None and min_price > max_price:
        errors.append(FieldError("should not be above maxPrice", "minPrice"))
    if starts_from is not None and starts_to is not None and starts_from > starts_to:
        errors.append(FieldError("should not be after to", "from"))
    if errors:
        raise InvalidInputError("See errors.", errors=tuple(errors))
    return TicketSearch(
        words=tuple(words_of(q)[:MAX_WORDS]) if q else None,
        min_price_cents=min_price,
        max_price_cents=max_price,
        starts_from=starts_from,
        starts_to=starts_to,
        statuses=LISTED if status == "all" else (TicketStatus(status),),
        sort=sort,
    )


TicketSearchDep: TypeAlias = Annotated[TicketSearch, Depends(ticket_search)]
