"""All error kinds that cross a module's boundary. Only this file assigns the HTTP status of each kind.

    TicketingError
    ├── InvalidInputError        422  the request itself is wrong
    ├── UnauthenticatedError     401  no valid session or token
    ├── PaymentDeclinedError     402  the bank declined the card
    ├── ForbiddenError           403  signed in, but not allowed
    ├── NotFoundError            404  does not exist, or must not be disclosed
    ├── ConflictError            409  the current state forbids it
    │   └── ConcurrentUpdateError     lost the compare-and-swap again and again
    ├── RequestTimeoutError      408  the request arrived too slowly
    ├── TooLargeError            413  more bytes than allowed
    ├── TooManyRequestsError     429  a limit is reached (Retry-After)
    └── UnavailableError         503  a dependency is unavailable (Retry-After)
        ├── OverloadedError          too much load; the request was not started
        └── DeadlineError            the request's deadline passed

For event delivery, `PermanentError` marks errors that a retry cannot fix, whatever their kind.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final

from .telemetry import SecurityEvent


@dataclass(frozen=True, slots=True)
class FieldError:
    """One problem of the input, and the name of its field in the request, if any."""

    message: str
    field: str | None = None


class TicketingError(Exception):
    """The base class; holds only what callers may see.

    `detail` is one sentence for the user, which a subclass fixes, or builds from its data. `field` is the field of the
    request that it is about; `errors` are needed only where their texts differ from `detail`. A kind with a
    `security_event` is recorded when it becomes a response, with the error's `security_fields`. `members` are data for
    programs: extension members of the response (RFC 9457, section 3.2). `problem_type` is a URI for a kind that a
    program must recognise (section 3.1.1); "about:blank" means that the status says all.
    """

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong"
    problem_type: ClassVar[str] = "about:blank"
    security_event: ClassVar[SecurityEvent | None] = None
    field: ClassVar[str | None] = None
    detail: str = ""
    security_fields: Mapping[str, str | None] = MappingProxyType({})
    members: Mapping[str, int | float | str] = MappingProxyType({})

    def __init__(self, detail: str = "", *, field: str | None = None, errors: tuple[FieldError, ...] = ()) -> None:
        self.detail = detail or self.detail
        field = field or self.field
        self.errors = errors or ((FieldError(self.detail, field),) if field else ())
        super().__init__(self.detail or self.title)


class InvalidInputError(TicketingError):
    """The request is invalid and fails at every attempt."""

    status = 422
    title = "The request is not valid"
    security_event = SecurityEvent.INPUT_REFUSED


class UnauthenticatedError(TicketingError):
    """The request has no valid session or token."""

    status = 401
    title = "Please sign in"
    security_event = SecurityEvent.UNAUTHENTICATED


class PaymentDeclinedError(TicketingError):
    """The card was declined; another card may work."""

    status = 402
    title = "The payment was declined"


class ForbiddenError(TicketingError):
    """The caller is signed in but not allowed to do this."""

    status = 403
    title = "Not allowed"
    security_event = SecurityEvent.DENIED


class NotFoundError(TicketingError):
    """The resource does not exist."""

    status = 404
    title = "Not found"


class ConflictError(TicketingError):
    """The current state of the resource forbids the request."""

    status = 409
    title = "Not possible right now"


class ConcurrentUpdateError(ConflictError):
    """A compare-and-swap lost its race at every attempt."""

    title = "Another request changed this at the same time"


class RequestTimeoutError(TicketingError):
    """The request did not arrive within the server's time limit (RFC 9110 §15.5.9)."""

    status = 408
    title = "The request came too slowly"


class TooLargeError(TicketingError):
    """The request body is too long."""

    status = 413
    title = "The request is too large"


class _RetryLaterError(TicketingError):
    """Has the seconds after which a retry makes sense (RFC 9110 §10.2.3, Retry-After)."""

    retry_after_seconds: int = 1

    def __init__(self, detail: str = "", *, retry_after_seconds: int | None = None) -> None:
        super().__init__(detail)
        if retry_after_seconds is not None:
            self.retry_after_seconds = retry_after_seconds


class TooManyRequestsError(_RetryLaterError):
    """The caller exceeds a rate limit (RFC 6585 §4); `limit` is its name."""

    status = 429
    title = "Too many requests"
    security_event = SecurityEvent.LIMIT_REACHED

    def __init__(self, detail: str = "", *, retry_after_seconds: int | None = None, limit: str = "") -> None:
        super().__init__(detail, retry_after_seconds=retry_after_seconds)
        self.security_fields = {"limit": limit or None}


class UnavailableError(_RetryLaterError):
    """A dependency is unavailable. Nothing was changed, or the request is safe to repeat."""

    status = 503
    title = "Temporarily unavailable"


class OverloadedError(UnavailableError):
    """Too much load; the request was not started."""

    title = "Too busy right now"


class DeadlineError(UnavailableError):
    """The request's deadline passed and its work was cancelled. It may have had its effect."""

    title = "It took too long"


class PermanentError(Exception):
    """An event that no retry can handle: it is dead-lettered at once."""


UNREADABLE_DOCUMENT: Final = (KeyError, TypeError, ValueError)
"""What reading one stored document raises if it is damaged, or of another release. Sweeps skip such a document. Errors
of the database, which concern all documents, are none of these."""
