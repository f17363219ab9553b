"""Every refusal as RFC 9457 problem+json, rendered in one place."""

from collections.abc import Mapping
from http import HTTPStatus
from secrets import token_hex
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from ticketing_common.errors import FieldError, TicketingError, UnavailableError
from ticketing_common.security import User
from ticketing_common.storage import DatabaseUnavailableError
from ticketing_common.telemetry import SecurityEvent, current_trace_id, get_logger, record_security_event

from .routing import allowed_methods

log = get_logger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
NOT_VALID: Final = "The request is not valid"
MOST_ERRORS: Final = 50
"""Limit of listed errors: a body of 64 KB can have 7,000 unknown fields, whose errors would need 500 KB."""


class ProblemError(BaseModel):
    """One problem, and the field of the request that has it."""

    message: str
    field: str | None = None


class Problem(BaseModel):
    """RFC 9457 problem details, with `errors` as an extension member."""

    type: str
    title: str
    status: int
    detail: str | None = None
    errors: list[ProblemError]


def problem_response(
    status: int,
    title: str,
    *,
    detail: str | None = None,
    errors: tuple[FieldError, ...] = (),
    headers: Mapping[str, str] | None = None,
    problem_type: str = TicketingError.problem_type,
    **members: int | float | str,
) -> Response:
    """A problem+json response. `errors` always has at least one entry, so clients can simply list it."""
    body: dict[str, Any] = {"type": problem_type, "title": title, "status": status}
    if detail:
        body["detail"] = detail
    body["errors"] = [
        {"message": error.message, "field": error.field} if error.field else {"message": error.message}
        for error in errors[:MOST_ERRORS] or (FieldError(detail or title),)
    ]
    body.update(members)
    return Response(to_json(body), status, headers, MEDIA_TYPE)


def _refusal(error: TicketingError, scope: Scope) -> Response:
    """The response for one of our errors. Records the refusal if it is a security event."""
    if error.security_event is not None:
        _record(error.security_event, type(error).__name__, scope, error.security_fields)
    headers = {}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if error.status == HTTPStatus.REQUEST_TIMEOUT:
        headers["Connection"] = "close"  # its remaining bytes may still arrive, and are no next request
    retry_after = getattr(error, "retry_after_seconds", None)
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return problem_response(
        error.status,
        error.title,
        detail=error.detail,
        errors=error.errors,
        headers=headers,
        problem_type=error.problem_type,
        **error.members,
    )


def _record(event: SecurityEvent, reason: str, scope: Scope, fields: Mapping[str, str | None]) -> None:
    user: User | None = scope.get("state", {}).get("user")
    facts = {
        "reason": reason,
        "account_id": user.id if user else None,
        "method": scope["method"],
        "route": _template(scope),
    }
    record_security_event(event, {**facts, **fields})


def _template(scope: Scope) -> str | None:
    """`/api/orders/{id}`; None if the request was refused before its route was known."""
    path: str | None = getattr(scope.get("route"), "path", None)
    return None if path is None else f"{getattr(scope['app'].state, 'prefix', '')}{path}"


def response_to(error: Exception, scope: Scope) -> Response:
    """The response for any exception that a request raised, without internal details."""
    if isinstance(error, TicketingError):
        return _refusal(error, scope)
    if isinstance(error, HTTPException):  # from a middleware, for example for a body over its limit
        return _http_problem(error)
    if isinstance(error, DatabaseUnavailableError):
        log.warning("database unavailable", path=scope["path"], error=repr(error))
        return _refusal(UnavailableError("The database does not answer. Nothing was lost; please try again."), scope)
    request_id = current_trace_id() or token_hex(16)
    log.exception("unexpected error", path=scope["path"], request_id=request_id, exc_info=error)
    return problem_response(500, TicketingError.title, requestId=request_id)


def _field(location: tuple[int | str, ...]) -> str | None:
    """`("body", "startsAt")` → `startsAt`; the body as a whole has no field name."""
    return ".".join(str(part) for part in location[1:]) or None


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 (registered for this class only)
    # The kinds only: a value, or the name of an unknown field, may be anything that the caller typed.
    kinds = sorted({one["type"] for one in error.errors()})
    _record(SecurityEvent.INPUT_REFUSED, type(error).__name__, request.scope, {"kinds": " ".join(kinds)})
    errors = tuple(
        # A JSON syntax error is located by its character position, which is no field.
        FieldError(one["msg"], None if one["type"] == "json_invalid" else _field(tuple(one["loc"])))
        for one in error.errors()[:MOST_ERRORS]
    )
    return problem_response(422, NOT_VALID, detail="See errors.", errors=errors)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 (registered for this class only)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # The framework lists the methods of the first route with this path only.
        allow = {"Allow": ", ".join(allowed_methods(request.scope))}
        if request.method == "OPTIONS":
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=allow)
        return problem_response(error.status_code, HTTPStatus.METHOD_NOT_ALLOWED.phrase, headers=allow)
    if error.status_code == HTTPStatus.BAD_REQUEST and isinstance(error.__cause__, ValueError | RecursionError):
        # The framework calls a body invalid only when its syntax is wrong. One that is no UTF-8, nests too deeply or
        # holds a number of thousands of digits is no better.
        _record(SecurityEvent.INPUT_REFUSED, type(error.__cause__).__name__, request.scope, {"kinds": "unreadable"})
        unreadable = FieldError("The body cannot be read as JSON.")
        return problem_response(422, NOT_VALID, detail="See errors.", errors=(unreadable,))
    return _http_problem(error)


def _http_problem(error: HTTPException) -> Response:
    title = HTTPStatus(error.status_code).phrase
    detail = str(error.detail) if error.detail and error.detail != title else None
    return problem_response(error.status_code, title, detail=detail, headers=error.headers)


REFUSALS: Final = (TicketingError, RequestValidationError, HTTPException)
"""The refusals that a route raises: our own errors, and the framework's validation errors."""


async def refusal_of(error: TicketingError | RequestValidationError | HTTPException, request: Request) -> Response:
    """The response for a refusal, wherever it is caught."""
    if isinstance(error, TicketingError):
        return _refusal(error, request.scope)
    return await (_invalid if isinstance(error, RequestValidationError) else _http)(request, error)


def add_error_handlers(app: FastAPI) -> None:
    """Render the framework's own refusals: invalid input, unknown paths, wrong methods."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
