"""The HTTP side of every service: one application factory, one kind of error answer, one set of conventions."""

from .app import create_service_app
from .bodies import read_body, replay_body
from .caller_limits import CallerLimits
from .changes import Changes
from .idempotency import CreationId, was_asked_before
from .live_feed import LiveFeed, News
from .pagination import Page, PageRequest, link_next
from .rate_limit import AddressDep, Quota, RateLimit, RateLimiter, address, quota
from .schemas import ApiModel, Id, Price, RequestModel, from_cents
from .sse import EVENT_STREAM, EventStream, LastEventId

__all__ = [
    "EVENT_STREAM",
    "AddressDep",
    "ApiModel",
    "CallerLimits",
    "Changes",
    "CreationId",
    "EventStream",
    "Id",
    "LastEventId",
    "LiveFeed",
    "News",
    "Page",
    "PageRequest",
    "Price",
    "Quota",
    "RateLimit",
    "RateLimiter",
    "RequestModel",
    "address",
    "create_service_app",
    "from_cents",
    "link_next",
    "quota",
    "read_body",
    "replay_body",
    "was_asked_before",
]
