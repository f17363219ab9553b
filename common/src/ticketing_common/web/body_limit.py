"""No request body is read past the limit, whether it announces its length or not."""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ticketing_common.errors import TooLargeError
from ticketing_common.headers import header_of

__all__ = ["BodyLimitMiddleware"]

MOST_DIGITS: Final = 18
"""Of a length that is still read as a number; Python itself raises ValueError past some thousands of digits."""


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
        announced = (header_of(scope, b"content-length") or b"0").lstrip(b"0") or b"0"
        if announced.isdigit() and (len(announced) > MOST_DIGITS or int(announced) > self._max_bytes):
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
