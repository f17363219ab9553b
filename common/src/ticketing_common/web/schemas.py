"""The JSON formats of the API: camelCase names, decimal prices, RFC 3339 times, ids of 24 hex digits."""

import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final, TypeAlias

from fastapi import Depends, Path
from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from ticketing_common.entity import ID_PATTERN
from ticketing_common.errors import NotFoundError
from ticketing_common.money import MAX_PRICE_CENTS, decimal_text


class ApiModel(BaseModel):
    """What is sent: snake_case inside, camelCase outside; absent values are null, not missing."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, from_attributes=True, frozen=True)


class RequestModel(BaseModel):
    """What is received: unknown fields are refused by name, and no type is coerced into another."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", strict=True, frozen=True, str_strip_whitespace=True
    )


class EmptyRequest(RequestModel):
    """A request without fields."""


async def _no_fields(body: EmptyRequest | None = None) -> None:
    """FastAPI has validated the body."""


NoFields: Final = Depends(_no_fields)
"""For the dependencies of a route that takes no fields. A body is optional, and its fields are refused by name: a
request with `{"amount": 5}` must not refund the whole order."""

_MOST: Final = decimal_text(MAX_PRICE_CENTS)


def _to_cents(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("price_type", "Input should be a number")
    try:
        cents = Decimal(str(value)) * 100
        in_range, whole = 1 <= cents <= MAX_PRICE_CENTS, cents == cents.to_integral_value()
    except InvalidOperation:  # JSON has no NaN, but Python's parser accepts it
        raise PydanticCustomError("price_finite", "Input should be a finite number") from None
    if not in_range:
        raise PydanticCustomError("price_range", "Input should be from 0.01 to {most}", {"most": _MOST})
    if not whole:
        raise PydanticCustomError("price_decimals", "Input should have at most two decimal places")
    return int(cents)


Price: TypeAlias = Annotated[
    int,
    BeforeValidator(_to_cents),
    WithJsonSchema({"type": "number", "minimum": 0.01, "maximum": 1_000_000, "multipleOf": 0.01, "examples": [25.5]}),
]
"""A price in a request: a JSON number with at most two places, up to 1,000,000.00; integer cents inside.

The smallest price depends on the currency, which the service knows: `ticketing_common.money`.
"""


_LONGEST_INSTANT: Final = 64
"""Characters; `2030-05-01T20:00:00.123456789+02:00` has 35."""
_RFC_3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)  # date-time of RFC 3339 §5.6


def _to_instant(value: Any) -> datetime:
    if not isinstance(value, str) or len(value) > _LONGEST_INSTANT or not _RFC_3339.fullmatch(value):
        raise PydanticCustomError("instant", "Input should be a time with its offset, as in 2030-05-01T20:00:00+02:00")
    try:
        instant = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):  # 30 February; or the year 10000 once it is in UTC
        raise PydanticCustomError("instant", "Input should be a time that exists") from None
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


Instant: TypeAlias = Annotated[
    datetime, BeforeValidator(_to_instant), WithJsonSchema({"type": "string", "format": "date-time"})
]
"""An RFC 3339 time with an offset, of the years 1 to 9999; UTC inside, to the millisecond, as MongoDB stores it."""


def from_cents(cents: int) -> float:
    """Cents as the decimal number that JSON shows; exact to the cent up to a million."""
    return cents / 100


_ID: Final = re.compile(ID_PATTERN)


async def _id(id: Annotated[str, Path(description="24 hex digits")]) -> str:  # noqa: A002 (the path says {id})
    """Refuse a malformed id with 404, as an unknown one."""
    if not _ID.fullmatch(id):
        raise NotFoundError("There is nothing with this id.")
    return id


Id: TypeAlias = Annotated[str, Depends(_id)]
"""The `{id}` of a path."""
