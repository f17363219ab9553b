"""The HTTP side of every service: one application factory, one kind of error answer, one set of conventions."""

from .app import create_service_app
from .change_counter import ChangeCounter
from .early_answers import EarlyAnswer, EarlyRequest
from .idempotency import CreationId, idempotent, is_repeated
from .live_feed import LiveFeed, LiveFeedDep, SseMessage
from .pagination import PAGING, Page, PageRequest, PageRequestDep, link_next, only_parameters
from .rate_limit import CallerLimits, Quota, RateLimit, RateLimiter, address, quota
from .response_cache import cached
from .schemas import ApiModel, Id, Instant, NoFields, Price, RequestModel, from_cents
from .sse import EVENT_STREAM, EventStream, LastEventId
from .stream_limits import Viewer, ViewerDep
from .text import ONE_LINE, PARAGRAPHS
from .wrapped_routes import Handler, ServiceRouter, part_of_app, wrapped_by

__all__ = [
    "EVENT_STREAM",
    "ONE_LINE",
    "PAGING",
    "PARAGRAPHS",
    "ApiModel",
    "CallerLimits",
    "ChangeCounter",
    "CreationId",
    "EarlyAnswer",
    "EarlyRequest",
    "EventStream",
    "Handler",
    "Id",
    "Instant",
    "LastEventId",
    "LiveFeed",
    "LiveFeedDep",
    "NoFields",
    "Page",
    "PageRequest",
    "PageRequestDep",
    "Price",
    "Quota",
    "RateLimit",
    "RateLimiter",
    "RequestModel",
    "ServiceRouter",
    "SseMessage",
    "Viewer",
    "ViewerDep",
    "address",
    "cached",
    "create_service_app",
    "from_cents",
    "idempotent",
    "is_repeated",
    "link_next",
    "only_parameters",
    "part_of_app",
    "quota",
    "wrapped_by",
]
