"""Keyset paging: the cursor says where the last page ended, so a walk never repeats or skips what stayed."""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeAlias, TypeVar
from urllib.parse import urlencode

from fastapi import Depends, Query, Request
from pydantic_core import from_json, to_json
from starlette.responses import Response

from ticketing_common.errors import FieldError, InvalidInputError

__all__ = ["Page", "PageRequest", "PageRequestDep", "link_next"]

T = TypeVar("T")
CursorValue: TypeAlias = str | int | float | None


@dataclass(frozen=True, slots=True)
class PageRequest:
    """How many items, after which one. `after` holds the sort keys of the last item seen, empty at the start."""

    limit: int
    after: tuple[CursorValue, ...] = ()


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items, and the sort keys to go on from; None when this was the last page."""

    items: list[T]
    next_after: tuple[CursorValue, ...] | None = None

    @classmethod
    def cut(cls, items: list[T], limit: int, keys: Sequence[CursorValue]) -> "Page[T]":
        """From `limit + 1` items asked of the database: `keys` are those of the item at the end of the page."""
        return cls(items[:limit], tuple(keys) if len(items) > limit else None)


def _fingerprint(request: Request) -> str:
    """Names the query that a cursor belongs to: path and every parameter that selects or sorts."""
    parameters = sorted((key, value) for key, value in request.query_params.multi_items() if key not in _PAGING)
    return hashlib.blake2b(to_json([request.url.path, parameters]), digest_size=6).hexdigest()


_PAGING = frozenset({"cursor", "limit"})


def _decode(request: Request, cursor: str) -> tuple[CursorValue, ...]:
    refused = InvalidInputError(
        "The cursor is not one of this list.", errors=(FieldError("not a cursor of this list", "cursor"),)
    )
    try:
        fingerprint, *after = from_json(base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)))
    except (ValueError, TypeError, binascii.Error):
        raise refused from None
    if fingerprint != _fingerprint(request) or not all(isinstance(v, str | int | float | None) for v in after):
        raise refused
    return tuple(after)


async def _page_request(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(max_length=500, description="opaque, from the Link header")] = None,
) -> PageRequest:
    return PageRequest(limit, _decode(request, cursor) if cursor else ())


PageRequestDep: TypeAlias = Annotated[PageRequest, Depends(_page_request)]


def link_next(request: Request, response: Response, page: Page[T]) -> None:
    """Put `Link: </path?…>; rel="next"` (RFC 8288) on the answer when there is more, with every parameter."""
    if page.next_after is None:
        return
    body = to_json([_fingerprint(request), *page.next_after])
    cursor = base64.urlsafe_b64encode(body).rstrip(b"=").decode()
    parameters = [(key, value) for key, value in request.query_params.multi_items() if key != "cursor"]
    query = urlencode([*parameters, ("cursor", cursor)])
    response.headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
