"""The HTTP side of every service: one application factory, one kind of error answer, one set of conventions."""

from .app import create_service_app
from .caller_limits import CallerLimits
from .changes import Changes
from .idempotency import CreationId, idempotent, was_asked_before
from .last_answers import cached
from .live_feed import LiveFeed, LiveFeedDep, News
from .pagination import Page, PageRequest, PageRequestDep, PagingOnly, link_next
from .rate_limit import AddressDep, Quota, RateLimit, RateLimiter, address, quota
from .schemas import ApiModel, Id, Instant, Price, RequestModel, from_cents
from .sse import EVENT_STREAM, EventStream, LastEventId
from .stream_places import Viewer, ViewerDep
from .text import ONE_LINE, PARAGRAPHS
from .wrapped_routes import Handler, ServiceRouter, wrapped_by

__all__ = [
    "EVENT_STREAM",
    "ONE_LINE",
    "PARAGRAPHS",
    "AddressDep",
    "ApiModel",
    "CallerLimits",
    "Changes",
    "CreationId",
    "EventStream",
    "Handler",
    "Id",
    "Instant",
    "LastEventId",
    "LiveFeed",
    "LiveFeedDep",
    "News",
    "Page",
    "PageRequest",
    "PageRequestDep",
    "PagingOnly",
    "Price",
    "Quota",
    "RateLimit",
    "RateLimiter",
    "RequestModel",
    "ServiceRouter",
    "Viewer",
    "ViewerDep",
    "address",
    "cached",
    "create_service_app",
    "from_cents",
    "idempotent",
    "link_next",
    "quota",
    "was_asked_before",
    "wrapped_by",
]
