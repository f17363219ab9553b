"""The response to buyers who come too late, before anything is written for them."""

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

Outside of `idempotent`, so such a refusal is not kept under the key: nothing was done, and the same request may succeed
once the ticket is free. A caller who has used the key before gets the response of then. The refusal counts against the
limits as every try does. Everything else goes on to the endpoint, also what is malformed.

Of those who want the same ticket at the same moment one goes on, and the others see what came of it.
"""


async def _ticket_id(request: Request) -> str | None:
    """Of a request that the endpoint would accept; None for every other."""
    content_type = header_of(request.scope, b"content-type") or b""
    if content_type.partition(b";")[0].strip().lower() != b"application/json":
        return None
    try:
        return OrderRequest.model_validate(await request.json()).ticket_id
    except (ValidationError, ValueError, RecursionError):
        return None
