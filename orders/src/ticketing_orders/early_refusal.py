"""The answer to those who come too late, before anything is written for them."""

from pydantic import ValidationError
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from ticketing_common.headers import header_of
from ticketing_common.security import User
from ticketing_common.telemetry.metrics import HOLDS_LOST
from ticketing_common.web import address, is_repeated, read_body, replay_body

from .dependencies import HoldLimits
from .errors import TicketReservedError
from .hold_cache import HoldCache
from .schemas import OrderRequest

__all__ = ["EarlyRefusalMiddleware"]


class EarlyRefusalMiddleware:
    """Raises `TicketReservedError` for a hold on a ticket that somebody else is known to have.

    It stands before the Idempotency-Key is claimed, so such a refusal is not kept under the key: nothing was done, and
    the same request may succeed once the ticket is free. Whoever has used the key before goes on to have the answer of
    then. It counts against the limits as every try does. Everything else goes on to the route, what is malformed too.

    Of those who want the same ticket at the same moment one goes on, and the others see what became of him.
    """

    def __init__(self, app: ASGIApp, *, path: str, held: HoldCache) -> None:
        self._app = app
        self._path = path
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] != self._path:
            await self._app(scope, receive, send)
            return
        user: User | None = scope["state"]["user"]
        if user is None:
            await self._app(scope, receive, send)
            return
        body = await read_body(receive)
        receive = replay_body(body, receive)
        ticket_id = _ticket_id(scope, body)
        if ticket_id is None:
            await self._app(scope, receive, send)
            return
        async with self._held.lock(ticket_id):
            if self._held.is_held_by_another(ticket_id, user_id=user.id) and not await is_repeated(scope):
                request = Request(scope)
                limits: HoldLimits = scope["app"].state.hold_limits
                await limits.check(request, user_id=user.id, address=await address(request))
                HOLDS_LOST.inc()
                raise TicketReservedError(ticket_id)
            await self._app(scope, receive, send)


def _ticket_id(scope: Scope, body: bytes) -> str | None:
    """Of a request that the route would accept; None for every other."""
    content_type = header_of(scope, b"content-type") or b""
    if content_type.partition(b";")[0].strip().lower() != b"application/json":
        return None
    try:
        return OrderRequest.model_validate_json(body).ticket_id
    except ValidationError:
        return None
