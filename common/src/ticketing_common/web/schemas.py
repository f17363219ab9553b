"""What JSON looks like outside: camelCase names, decimal prices, 24-hex ids."""

import re
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final, TypeAlias

from fastapi import Depends, Path
from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from ticketing_common.entity import ID_PATTERN
from ticketing_common.errors import NotFoundError

__all__ = ["MAX_PRICE_CENTS", "ApiModel", "Id", "Price", "RequestModel", "from_cents"]

MAX_PRICE_CENTS: Final = 100_000_000


class ApiModel(BaseModel):
    """What is sent: snake_case inside, camelCase outside; absent values are null, not missing."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, from_attributes=True, frozen=True)


class RequestModel(BaseModel):
    """What is received: unknown fields are refused by name, and no type is coerced into another."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", strict=True, frozen=True, str_strip_whitespace=True
    )


def _to_cents(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("price_type", "Input should be a number")
    try:
        cents = Decimal(str(value)) * 100
        in_range, whole = 1 <= cents <= MAX_PRICE_CENTS, cents == cents.to_integral_value()
    except InvalidOperation:  # JSON's grammar has no NaN, but Python's reader lets it through
        raise PydanticCustomError("price_finite", "Input should be a finite number") from None
    if not in_range:
        raise PydanticCustomError("price_range", "Input should be from 0.01 to 1,000,000.00")
    if not whole:
        raise PydanticCustomError("price_decimals", "Input should have at most two decimal places")
    return int(cents)


Price: TypeAlias = Annotated[
    int,
    BeforeValidator(_to_cents),
    WithJsonSchema({"type": "number", "minimum": 0.01, "maximum": 1_000_000, "multipleOf": 0.01, "examples": [25.5]}),
]
"""A price in a request: a JSON number with at most two places, from 0.01 to 1,000,000.00; integer cents inside."""


def from_cents(cents: int) -> float:
    """Cents as the decimal number that JSON shows; exact to the cent up to a million."""
    return cents / 100


_ID: Final = re.compile(ID_PATTERN)


async def _id(id: Annotated[str, Path(description="24 hex digits")]) -> str:  # noqa: A002 (the path says {id})
    """A malformed id names nothing: 404, as for an unknown one."""
    if not _ID.match(id):
        raise NotFoundError("There is nothing with this id.")
    return id


Id: TypeAlias = Annotated[str, Depends(_id)]
"""The `{id}` of a path."""
