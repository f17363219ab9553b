"""Every error that crosses a room's door, by kind; the HTTP status of a kind is decided here and nowhere else.

    TicketingError
    ├── InvalidInputError        422  the request itself is wrong
    ├── UnauthenticatedError     401  nobody known is asking
    ├── PaymentDeclinedError     402  the bank said no
    ├── ForbiddenError           403  somebody known, but not allowed
    ├── NotFoundError            404  no such thing, or not to be known of
    ├── ConflictError            409  right request, wrong moment
    │   └── ConcurrentUpdateError     the same document was changed by somebody faster, again and again
    ├── RequestTimeoutError      408  the request itself took too long to arrive
    ├── TooLargeError            413  more bytes than we read
    ├── TooManyRequestsError     429  slower, please (Retry-After)
    └── UnavailableError         503  something we need is away (Retry-After)
        ├── OverloadedError          we have more to do than we can; not even begun
        └── DeadlineError            it took longer than a request may

Delivery asks one more question of an error: is it worth trying again? `PermanentError` says no, whatever its kind.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from .telemetry import SecurityEvent

__all__ = [
    "ConcurrentUpdateError",
    "ConflictError",
    "DeadlineError",
    "FieldError",
    "ForbiddenError",
    "InvalidInputError",
    "NotFoundError",
    "OverloadedError",
    "PaymentDeclinedError",
    "PermanentError",
    "RequestTimeoutError",
    "TicketingError",
    "TooLargeError",
    "TooManyRequestsError",
    "UnauthenticatedError",
    "UnavailableError",
]


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with the input: what, and in which field (its name in the request) when there is one."""

    message: str
    field: str | None = None


class TicketingError(Exception):
    """The root: carries what a caller may be told.

    `detail` is one sentence for the person; leaves build it from their facts. A kind with a `security_event` is
    recorded when it is answered, together with the `security_fields` of the error. `members` are facts for programs:
    extension members of the answer (RFC 9457 §3.2).
    """

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong"
    security_event: ClassVar[SecurityEvent | None] = None
    security_fields: Mapping[str, str | None] = MappingProxyType({})
    members: Mapping[str, int | float | str] = MappingProxyType({})

    def __init__(self, detail: str = "", *, errors: tuple[FieldError, ...] = ()) -> None:
        self.detail = detail
        self.errors = errors
        super().__init__(detail or self.title)


class InvalidInputError(TicketingError):
    """The request can never be right as it is."""

    status = 422
    title = "The request is not valid"


class UnauthenticatedError(TicketingError):
    """No valid session or token came with the request."""

    status = 401
    title = "Please sign in"
    security_event = SecurityEvent.UNAUTHENTICATED


class PaymentDeclinedError(TicketingError):
    """The card was refused; another card may be tried."""

    status = 402
    title = "The payment was declined"


class ForbiddenError(TicketingError):
    """The caller is known and may not do this."""

    status = 403
    title = "Not allowed"
    security_event = SecurityEvent.DENIED


class NotFoundError(TicketingError):
    """There is no such thing."""

    status = 404
    title = "Not found"


class ConflictError(TicketingError):
    """The state of the thing forbids what was asked."""

    status = 409
    title = "Not possible right now"


class ConcurrentUpdateError(ConflictError):
    """A compare-and-swap lost its race more often than we retry."""

    title = "Somebody else changed this at the same time"


class RequestTimeoutError(TicketingError):
    """The request did not arrive in the time that the server waits for one (RFC 9110 §15.5.9)."""

    status = 408
    title = "The request came too slowly"


class TooLargeError(TicketingError):
    """The request body is longer than we accept."""

    status = 413
    title = "The request is too large"


class _RetryLaterError(TicketingError):
    """Carries the seconds after which asking again makes sense (RFC 9110 §10.2.3, Retry-After)."""

    def __init__(self, detail: str = "", *, retry_after_seconds: int = 1) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class TooManyRequestsError(_RetryLaterError):
    """The caller asks more often than allowed (RFC 6585 §4); `limit` names the limit that says so."""

    status = 429
    title = "Too many requests"
    security_event = SecurityEvent.LIMIT_REACHED

    def __init__(self, detail: str = "", *, retry_after_seconds: int = 1, limit: str = "") -> None:
        super().__init__(detail, retry_after_seconds=retry_after_seconds)
        self.security_fields = {"limit": limit or None}


class UnavailableError(_RetryLaterError):
    """Something this request needs is away; nothing was changed, or what was begun is safe to ask again."""

    status = 503
    title = "Temporarily unavailable"


class OverloadedError(UnavailableError):
    """Too much is under way already; this was not begun."""

    title = "Too busy right now"


class DeadlineError(UnavailableError):
    """The time of the request is spent, and what had been started for it was given up. It may have had its effect."""

    title = "It took too long"


class PermanentError(Exception):
    """An event that can never be handled, however often it comes: straight to the dead letters."""
