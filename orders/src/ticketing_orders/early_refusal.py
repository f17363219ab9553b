"""Refuses a hold from memory, before a write, when another buyer is known to hold the ticket."""

import json

from fastapi import Request, Response
from pydantic import ValidationError
from starlette.types import ASGIApp, Scope

from ticketing_common.asgi import header_of
from ticketing_common.security import User
from ticketing_common.telemetry.metrics import HOLDS_LOST
from ticketing_common.web import EarlyRequest, Handler, is_repeated, wrapped_by

from .dependencies import limit_holds
from .errors import TicketReservedError
from .hold_cache import HoldCache
from .schemas import OrderRequest

JSON: bytes = b"application/json"


async def refuse_at_once(request: EarlyRequest) -> ASGIApp | None:
    """Raise `TicketReservedError` when another buyer is known to hold the ticket, without the route's own cost.

    An `EarlyAnswer`. None for every other request: one without a valid session or body, one with an Idempotency-Key,
    whose first response may have to be repeated, and one for a ticket of which nothing is known. `refused_early`
    answers these.
    """
    scope = request.scope
    if header_of(scope, b"idempotency-key") is not None or not _is_json(scope):
        return None
    try:
        ticket_id = _ticket_id(json.loads(request.body))
    except (ValueError, RecursionError):
        return None
    user = request.identify() if ticket_id else None
    held: HoldCache = scope["app"].state.hold_cache
    if user is not None and ticket_id is not None and held.is_held_by_another(ticket_id, user_id=user.id):
        await _refuse(ticket_id, Request(scope))
    return None


def _unless_held(handler: Handler) -> Handler:
    async def handle(request: Request) -> Response:
        user: User | None = request.state.user
        ticket_id = await _ticket_id_of(request) if user and _is_json(request.scope) else None
        if user is None or ticket_id is None:
            return await handler(request)
        held: HoldCache = request.app.state.hold_cache
        async with held.lock(ticket_id):
            if held.is_held_by_another(ticket_id, user_id=user.id) and not await is_repeated(request):
                await _refuse(ticket_id, request)
            return await handler(request)

    return handle


refused_early = wrapped_by(_unless_held)
"""Decorates the endpoint that holds a ticket: raises `TicketReservedError` when another buyer is known to hold it.

It stands outside of `idempotent`, so such a refusal is not kept under the key: nothing was done, and the same request
may succeed once the ticket is free. A caller who used the key earlier gets the stored response. The refusal counts
against the limits as every attempt does. All other requests reach the endpoint, malformed ones too.

Of concurrent requests for one ticket one proceeds, and the others wait for its outcome.
"""


async def _refuse(ticket_id: str, request: Request) -> None:
    await limit_holds(request)
    HOLDS_LOST.inc()
    raise TicketReservedError(ticket_id)


def _is_json(scope: Scope) -> bool:
    content_type = header_of(scope, b"content-type") or b""
    return content_type == JSON or content_type.partition(b";")[0].strip().lower() == JSON


async def _ticket_id_of(request: Request) -> str | None:
    try:
        return _ticket_id(await request.json())
    except (ValueError, RecursionError):
        return None


def _ticket_id(content: object) -> str | None:
    """The ticket id of a body that the endpoint would accept; None for every other body."""
    try:
        return OrderRequest.model_validate(content).ticket_id
    except ValidationError:
        return None
