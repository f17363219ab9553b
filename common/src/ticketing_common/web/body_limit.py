"""No request body is read past the limit, whether it announces its length or not."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ticketing_common.errors import TooLargeError
from ticketing_common.headers import header_of

__all__ = ["BodyLimitMiddleware"]


class BodyLimitMiddleware:
    """Raises `TooLargeError`, rendered as problem+json; FastAPI's own limit answers in plain text."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = header_of(scope, b"content-length") or b"0"
        if announced.isdigit() and int(announced) > self._max_bytes:
            raise self._too_large()
        received = 0

        async def count() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                # While it reads a body FastAPI turns all errors but this kind into a 400.
                raise HTTPException(TooLargeError.status, str(self._too_large()))
            return message

        await self._app(scope, count, send)

    def _too_large(self) -> TooLargeError:
        return TooLargeError(f"At most {self._max_bytes:,} bytes are read.")
