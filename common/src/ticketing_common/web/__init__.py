"""The HTTP side of every service: one application factory, one kind of error answer, one set of conventions."""

from .app import create_service_app
from .idempotency import CreationId
from .pagination import Page, PageRequest, link_next
from .rate_limit import AddressDep, RateLimit, RateLimiter
from .schemas import ApiModel, Id, Price, RequestModel, from_cents

__all__ = [
    "AddressDep",
    "ApiModel",
    "CreationId",
    "Id",
    "Page",
    "PageRequest",
    "Price",
    "RateLimit",
    "RateLimiter",
    "RequestModel",
    "create_service_app",
    "from_cents",
    "link_next",
]
