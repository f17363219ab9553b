"""What requests say, in body and query, and what answers look like."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from fastapi import Depends, Query, Request
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from ticketing_common.entity import utc_now
from ticketing_common.errors import FieldError, InvalidInputError
from ticketing_common.events import TicketData, TicketStatus
from ticketing_common.web import ApiModel, Price, RequestModel, from_cents

from .domain import LISTED, Ticket, TicketDetails, TicketSearch, TicketSort, words_of

__all__ = ["DeletedTicketResponse", "PagingOnly", "TicketRequest", "TicketResponse", "TicketSearchDep"]

MAX_WORDS: Final = 10
"""Of a longer search the first ten words count: each costs, and ten find what there is to find."""

_RFC_3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)  # date-time of RFC 3339 §5.6
_DECIMAL: Final = re.compile(r"\d{1,9}(\.\d{1,2})?", re.ASCII)


def _to_instant(value: Any) -> datetime:
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        raise PydanticCustomError("instant", "Input should be a time with its offset, as in 2030-05-01T20:00:00+02:00")
    try:
        instant = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):  # 30 February; or the year 10000 once it is in UTC
        raise PydanticCustomError("instant", "Input should be a time that exists") from None
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def _in_future(instant: datetime) -> datetime:
    if instant <= utc_now():
        raise PydanticCustomError("future", "Input should be in the future")
    return instant


def _to_price_bound(value: Any) -> int:
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise PydanticCustomError("price_bound", "Input should be a decimal number with at most two places")
    return int(Decimal(value) * 100)


Instant: TypeAlias = Annotated[
    datetime, BeforeValidator(_to_instant), WithJsonSchema({"type": "string", "format": "date-time"})
]
"""An RFC 3339 time with an offset; UTC inside, to the millisecond, which is what is stored."""

PriceBound: TypeAlias = Annotated[
    int,
    BeforeValidator(_to_price_bound),
    WithJsonSchema({"type": "number", "minimum": 0, "multipleOf": 0.01}),
]
"""A price in a query; unlike that of a ticket it may be 0 or beyond the dearest ticket. Integer cents inside."""

_Title: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_Description: TypeAlias = Annotated[str, StringConstraints(max_length=2_000)]
_Venue: TypeAlias = Annotated[str, StringConstraints(max_length=200)]


def _blank_is_absent(text: str | None) -> str | None:
    return text or None


class TicketRequest(RequestModel):
    """Everything a seller decides; on a change it replaces all of it, so what is left out becomes null."""

    title: _Title
    price: Price
    description: Annotated[_Description | None, AfterValidator(_blank_is_absent)] = None
    venue: Annotated[_Venue | None, AfterValidator(_blank_is_absent)] = None
    starts_at: Annotated[Instant, AfterValidator(_in_future)] | None = None

    def details(self) -> TicketDetails:
        """The same for the domain."""
        return TicketDetails(
            title=self.title,
            price_cents=self.price,
            description=self.description,
            venue=self.venue,
            starts_at=self.starts_at,
        )


class TicketResponse(ApiModel):
    """A ticket as anybody may see it."""

    id: str
    title: str
    description: str | None
    venue: str | None
    starts_at: datetime | None
    price: float = Field(description="decimal, at most two places")
    currency: str
    status: TicketStatus
    user_id: str = Field(description="the seller")
    version: int
    created_at: datetime

    @classmethod
    def of(cls, ticket: Ticket | TicketData) -> Self:
        """The ticket's public face, as it is stored or told; who holds it is nobody's business."""
        return cls(
            id=ticket.id,
            title=ticket.title,
            description=ticket.description,
            venue=ticket.venue,
            starts_at=ticket.starts_at,
            price=from_cents(ticket.price_cents),
            currency=ticket.currency,
            status=ticket.status,
            user_id=ticket.user_id,
            version=ticket.version,
            created_at=ticket.created_at,
        )


class DeletedTicketResponse(ApiModel):
    """What is left of a ticket that is gone."""

    id: str
    version: int


_PAGING: Final = frozenset({"limit", "cursor"})
_SEARCH: Final = _PAGING | {"q", "minPrice", "maxPrice", "from", "to", "sort", "status"}

_empty_is_absent: Final = BeforeValidator(lambda value: None if value == "" else value)
"""Forms send the fields that nobody filled in."""


def _refuse_unknown(request: Request, known: frozenset[str]) -> None:
    """As with the fields of a body: a misspelt filter must not quietly list everything."""
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        errors = tuple(FieldError("There is no such query parameter", name) for name in unknown)
        raise InvalidInputError("See errors.", errors=errors)


async def paging_only(request: Request) -> None:
    """No query parameters but those of paging; raises `InvalidInputError`."""
    _refuse_unknown(request, _PAGING)


PagingOnly: Final = Depends(paging_only)


async def ticket_search(
    request: Request,
    q: Annotated[str, Query(max_length=200, description="beginnings of words in title and venue; all must occur")] = "",
    min_price: Annotated[PriceBound | None, _empty_is_absent, Query(alias="minPrice")] = None,
    max_price: Annotated[PriceBound | None, _empty_is_absent, Query(alias="maxPrice")] = None,
    starts_from: Annotated[Instant | None, _empty_is_absent, Query(alias="from", description="of startsAt")] = None,
    starts_to: Annotated[Instant | None, _empty_is_absent, Query(alias="to", description="of startsAt")] = None,
    sort: Annotated[TicketSort, Query()] = TicketSort.NEWEST,
    status: Annotated[Literal["available", "held", "sold", "all"], Query()] = "available",
) -> TicketSearch:
    """What is looked for; raises `InvalidInputError` for bounds the wrong way round and for unknown parameters."""
    _refuse_unknown(request, _SEARCH)
    errors = []
    if min_price is not None and max_price is not None and min_price > max_price:
        errors.append(FieldError("should not be above maxPrice", "minPrice"))
    if starts_from is not None and starts_to is not None and starts_from > starts_to:
        errors.append(FieldError("should not be after to", "from"))
    if errors:
        raise InvalidInputError("See errors.", errors=tuple(errors))
    return TicketSearch(
        words=tuple(words_of(q)[:MAX_WORDS]),
        min_price_cents=min_price,
        max_price_cents=max_price,
        starts_from=starts_from,
        starts_to=starts_to,
        statuses=LISTED if status == "all" else (TicketStatus(status),),
        sort=sort,
    )


TicketSearchDep: TypeAlias = Annotated[TicketSearch, Depends(ticket_search)]
