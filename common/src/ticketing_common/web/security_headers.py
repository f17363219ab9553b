"""Security and caching headers, added to every response in one place."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["SecurityHeadersMiddleware", "answer_headers"]

_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    # A route with a cacheable response sets its own value.
    (b"cache-control", b"no-store"),
)
"""As listed in the OWASP REST Security Cheat Sheet ("Security Headers")."""
_TRANSPORT: Final = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
"""A year, with all subdomains (RFC 6797; OWASP ASVS 5.0, V3.4.1), as the client's server sets it."""


def answer_headers(*, behind_tls: bool) -> tuple[tuple[bytes, bytes], ...]:
    """All headers; Strict-Transport-Security only for a service that is reached by TLS."""
    return (*_HEADERS, _TRANSPORT) if behind_tls else _HEADERS


class SecurityHeadersMiddleware:
    """Adds each header that the response does not have. Outermost, so it covers the responses of all middleware."""

    def __init__(self, app: ASGIApp, *, behind_tls: bool) -> None:
        self._app = app
        self._headers = answer_headers(behind_tls=behind_tls)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                present = {name.lower() for name, _ in headers}
                headers += [header for header in self._headers if header[0] not in present]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, add)
