"""Refuses a hold from memory, before a write, when another buyer is known to hold the ticket."""

from fastapi import Request, Response
from pydantic import ValidationError

from ticketing_common.headers import header_of
from ticketing_common.security import User
from ticketing_common.telemetry.metrics import HOLDS_LOST
from ticketing_common.web import Handler, is_repeated, wrapped_by

from .dependencies import limit_holds
from .errors import TicketReservedError
from .hold_cache import HoldCache
from .schemas import OrderRequest

__all__ = ["refused_early"]


def _unless_held(handler: Handler) -> Handler:
    async def handle(request: Request) -> Response:
        user: User | None = request.state.user
        ticket_id = await _ticket_id(request) if user else None
        if user is None or ticket_id is None:
            return await handler(request)
        held: HoldCache = request.app.state.hold_cache
        async with held.lock(ticket_id):
            if held.is_held_by_another(ticket_id, user_id=user.id) and not await is_repeated(request):
                await limit_holds(request)
                HOLDS_LOST.inc()
                raise TicketReservedError(ticket_id)
            return await handler(request)

    return handle


refused_early = wrapped_by(_unless_held)
"""Decorates the endpoint that holds a ticket: raises `TicketReservedError` when another buyer is known to hold it.

It stands outside of `idempotent`, so such a refusal is not kept under the key: nothing was done, and the same request
may succeed once the ticket is free. A caller who used the key earlier gets the stored response. The refusal counts
against the limits as every attempt does. All other requests reach the endpoint, malformed ones too.

Of concurrent requests for one ticket one proceeds, and the others wait for its outcome.
"""


async def _ticket_id(request: Request) -> str | None:
    """The ticket id of a request that the endpoint would accept; None for every other request."""
    content_type = header_of(request.scope, b"content-type") or b""
    if content_type.partition(b";")[0].strip().lower() != b"application/json":
        return None
    try:
        return OrderRequest.model_validate(await request.json()).ticket_id
    except (ValidationError, ValueError, RecursionError):
        return None
