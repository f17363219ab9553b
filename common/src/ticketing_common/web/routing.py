"""HTTP requirements for all resources that the router does not implement."""

from typing import Final

from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ticketing_common.asgi import ends_answer, starts_stream
from ticketing_common.errors import NotFoundError

METHODS: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
"""The methods that our routes may have."""


class RoutingMiddleware:
    """Answers HEAD as GET without the body (RFC 9110 §9.3.2), and does not decode a slash (RFC 3986 §2.2).

    HEAD of an event stream returns its headers, and the stream ends at once. The server decodes paths before routing,
    so `/api%2Forders` would match `/api/orders`, although a gateway that routes by the raw path sees another path. Such
    a path is answered with 404.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if b"%2f" in scope.get("raw_path", b"").lower():
            raise NotFoundError
        if scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        ended = False

        async def without_body(message: Message) -> None:
            nonlocal ended
            if ended:
                return
            if message["type"] == "http.response.start":
                await send(message)
                ended = starts_stream(message)  # the server then reports a disconnect, which ends the stream
            else:
                ended = ends_answer(message)
            if ended:
                await send({"type": "http.response.body", "body": b""})

        # A copy: the server reads its own scope to know that HEAD has no body.
        inner = {**scope, "method": "GET"}
        try:
            await self._app(inner, receive, without_body)
        finally:
            if "route" in inner:
                scope["route"] = inner["route"]


def allowed_methods(scope: Scope) -> tuple[str, ...]:
    """The methods of all routes of this path (for `Allow`, RFC 9110 §10.2.1); empty if there is no such path."""
    asked = {"type": "http", "path": scope["path"], "root_path": scope.get("root_path", ""), "headers": []}
    routes = scope["app"].routes
    found = {
        method
        for method in METHODS
        if any(route.matches({**asked, "method": method})[0] is Match.FULL for route in routes)
    }
    if "GET" in found:
        found.add("HEAD")
    return tuple(sorted({*found, "OPTIONS"})) if found else ()
