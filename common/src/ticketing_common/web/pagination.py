"""Keyset pagination: the cursor holds the end of the last page, so a walk never repeats or skips unchanged items."""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Generic, TypeAlias, TypeVar
from urllib.parse import urlencode

from fastapi import Depends, Query, Request
from pydantic_core import from_json, to_json
from starlette.responses import Response

from ticketing_common.entity import ID_PATTERN
from ticketing_common.errors import FieldError, InvalidInputError

T = TypeVar("T")
K = TypeVar("K")
CursorValue: TypeAlias = str | int | None
"""A value in a cursor: an id or text, a number, a time in milliseconds since 1970, or None."""

PAGING: Final = ("limit", "cursor")
"""The query parameters of a `PageRequest`."""
_EPOCH: Final = datetime.fromtimestamp(0, tz=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_LARGEST_NUMBER: Final = 2**53
_ID: Final = re.compile(ID_PATTERN)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The number of items, and the position. `after` holds sort key and id of the last item seen; empty at the start.

    A cursor is not signed, so its values are untrusted: read them only through `position`.
    """

    limit: int
    after: tuple[CursorValue, ...] = ()

    def position(self, read_key: Callable[[CursorValue], K]) -> tuple[K, str] | None:
        """Sort key and id of the last item seen; None at the start.

        `read_key` is `instant_key`, `number_key`, or a function that raises ValueError like them. Raises
        `InvalidInputError`, with the field `cursor`, for values that this list never returned.
        """
        if not self.after:
            return None
        try:
            key, last_id = self.after
            if not isinstance(last_id, str) or not _ID.fullmatch(last_id):
                raise ValueError("not an id")
            return read_key(key), last_id
        except ValueError:
            raise _not_a_cursor() from None


def instant_key(value: CursorValue) -> datetime:
    """A time in UTC, to the millisecond; raises ValueError for a value that no stored time has."""
    try:
        return _EPOCH + number_key(value) * _MILLISECOND
    except OverflowError:
        raise ValueError("not a time of the years 1 to 9999") from None


def number_key(value: CursorValue) -> int:
    """An integer that MongoDB and JSON keep exactly; raises ValueError for any other value."""
    if type(value) is not int or abs(value) > _LARGEST_NUMBER:  # a bool is an int to `isinstance`
        raise ValueError("not a number")
    return value


def _to_cursor_value(key: datetime | CursorValue) -> CursorValue:
    return (key - _EPOCH) // _MILLISECOND if isinstance(key, datetime) else key


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """The items of one page, and the sort keys of the next; None on the last page."""

    items: list[T]
    next_after: tuple[CursorValue, ...] | None = None

    @classmethod
    def cut(cls, items: list[T], limit: int, keys: Callable[[T], tuple[datetime | CursorValue, str]]) -> "Page[T]":
        """Make a page from `limit + 1` items of the database; `keys` returns sort key and id of its last item."""
        if len(items) <= limit:
            return cls(items)
        return cls(items[:limit], tuple(_to_cursor_value(key) for key in keys(items[limit - 1])))


def _fingerprint(request: Request) -> str:
    """Identifies the query of a cursor: the path, and every parameter that selects or sorts."""
    parameters = sorted((key, value) for key, value in request.query_params.multi_items() if key not in PAGING)
    return hashlib.blake2b(to_json([request.url.path, parameters]), digest_size=6).hexdigest()


def _not_a_cursor() -> InvalidInputError:
    return InvalidInputError(
        "The cursor is not one of this list.", errors=(FieldError("not a cursor of this list", "cursor"),)
    )


def _decode(request: Request, cursor: str) -> tuple[CursorValue, ...]:
    """The values of a cursor of this query; the length is already checked."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        body = from_json(base64.b64decode(padded, altchars=b"-_", validate=True), allow_inf_nan=False)
        fingerprint, *after = body if isinstance(body, list) else [None]
    except (ValueError, binascii.Error):
        raise _not_a_cursor() from None
    if fingerprint != _fingerprint(request) or not all(type(value) in (str, int, type(None)) for value in after):
        raise _not_a_cursor()
    return tuple(after)


async def _page_request(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(max_length=500, description="opaque, from the Link header")] = None,
) -> PageRequest:
    return PageRequest(limit, _decode(request, cursor) if cursor is not None else ())


PageRequestDep: TypeAlias = Annotated[PageRequest, Depends(_page_request)]


def only_parameters(*known: str) -> Any:
    """For the dependencies of a route: it refuses all other query parameters by name, with `InvalidInputError`.

    As with the fields of a body, a misspelt filter must not quietly list everything.
    """

    async def refuse_unknown(request: Request) -> None:
        unknown = sorted(set(request.query_params).difference(known))
        if unknown:
            errors = tuple(FieldError("There is no such query parameter", name) for name in unknown)
            raise InvalidInputError("See errors.", errors=errors)

    return Depends(refuse_unknown)


def link_next(request: Request, response: Response, page: Page[T]) -> None:
    """Put `Link: </path?…>; rel="next"` (RFC 8288) on the answer when there is more, with every parameter."""
    if page.next_after is None:
        return
    body = to_json([_fingerprint(request), *page.next_after])
    cursor = base64.urlsafe_b64encode(body).rstrip(b"=").decode()
    parameters = [(key, value) for key, value in request.query_params.multi_items() if key != "cursor"]
    query = urlencode([*parameters, ("cursor", cursor)])
    response.headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
