"""What HTTP asks of every resource, and the router does not do by itself."""

from typing import Final

from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ticketing_common.errors import NotFoundError

from .responses import ends_answer, starts_stream

__all__ = ["METHODS", "RoutingMiddleware", "allowed_methods"]

METHODS: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
"""Those that a route of ours may have."""


class RoutingMiddleware:
    """HEAD is GET without the body (RFC 9110 §9.3.2), and an encoded slash is no slash (RFC 3986 §2.2).

    A HEAD of an event stream is answered with its headers, and the stream ends at once: nothing is held open for it.
    The server decodes paths before they are routed, so `/api%2Forders` would be answered as `/api/orders`, though a
    gateway that routes by the path as it was sent sees another one. Such a path is not found.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
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
                ended = starts_stream(message)  # the server then says that the caller has left, which ends the stream
            else:
                ended = ends_answer(message)
            if ended:
                await send({"type": "http.response.body", "body": b""})

        # A copy: the server looks into its own to know that HEAD has no body.
        inner = {**scope, "method": "GET"}
        try:
            await self._app(inner, receive, without_body)
        finally:
            if "route" in inner:
                scope["route"] = inner["route"]


def allowed_methods(scope: Scope) -> tuple[str, ...]:
    """What may be done with this path, over all of its routes (for `Allow`, RFC 9110 §10.2.1); empty: no such path."""
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
