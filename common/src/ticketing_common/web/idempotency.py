"""Idempotency-Key: the same request twice is done once, and answered twice the same.

The header's meaning follows the IETF draft `draft-ietf-httpapi-idempotency-key-header` and Stripe's practice.
"""

import asyncio
import hashlib
import re
from typing import Annotated, Final, TypeAlias

from fastapi import Depends, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ticketing_common.errors import ConflictError, FieldError, InvalidInputError, TicketingError
from ticketing_common.headers import header_of
from ticketing_common.storage import Claim, DatabaseUnavailableError, IdempotencyKeys, StoredResponse
from ticketing_common.telemetry import get_logger

from .bodies import read_body, replay_body
from .error_handlers import refusal

__all__ = ["CreationId", "IdempotencyMiddleware", "IdempotencyStateError", "is_repeated"]

log = get_logger(__name__)

_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT_HEADERS: Final = frozenset({"content-type", "location", "retry-after"})
_NOT_KEPT: Final = frozenset({401, 408, 429})
"""Answers about the moment, not about the request."""
GIVE_BACK_SECONDS: Final = 1.0


class IdempotencyStateError(ConflictError):
    """The first request with this key is still being worked on."""

    title = "Still running"


class IdempotencyMiddleware:
    """Wraps the POST that creates (the collection's own path) for callers who are signed in and send the header.

    A key belongs to one caller and one path. Answers of 5xx are not kept: nothing was decided, and asking again is
    right. When the process dies between the effect and the keeping of the answer, the key frees itself after a minute.

    Neither of these may make a second thing: a route that creates takes a `CreationId`, the same for every try with one
    key, and stores with it (`Repository.add_once`).
    """

    def __init__(self, app: ASGIApp, *, path: str) -> None:
        self._app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] != self._path:
            await self._app(scope, receive, send)
            return
        header = _header(scope)
        if header is None:
            await self._app(scope, receive, send)
            return
        if not _KEY.fullmatch(header):
            raise InvalidInputError(
                "An Idempotency-Key is 1 to 255 visible ASCII characters.",
                errors=(FieldError("not a valid key", "Idempotency-Key"),),
            )
        keys: IdempotencyKeys = scope["app"].state.idempotency_keys
        body = await read_body(receive)
        key = _key(scope, header)
        known = await keys.claim(key, hashlib.sha256(body).hexdigest())
        if isinstance(known, Claim):
            scope["state"]["creation_id"] = known.creation_id
            await self._run(scope, body, receive, send, keys, key)
        else:
            await self._repeat(known, hashlib.sha256(body).hexdigest(), send)

    async def _run(
        self, scope: Scope, body: bytes, receive: Receive, send: Send, keys: IdempotencyKeys, key: str
    ) -> None:
        status = 500
        headers: list[tuple[str, str]] = []
        answer = bytearray()
        replay = replay_body(body, receive)

        async def record(message: Message) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status = message["status"]
                pairs = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"])
                headers = [(name, value) for name, value in pairs if name.lower() in _KEPT_HEADERS]
            elif message["type"] == "http.response.body":
                answer.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    # Before the last byte leaves: whoever has the answer gets it again.
                    await self._keep(keys, key, status, headers, bytes(answer))
            await send(message)

        try:
            await self._app(scope, replay, record)
        except TicketingError as error:
            # A refusal is an answer too: rendered here, so that it is kept.
            await refusal(error, scope)(scope, replay, record)
        except BaseException:
            await self._release(keys, key)
            raise

    async def _release(self, keys: IdempotencyKeys, key: str) -> None:
        """For the next try, if that is quickly done: the time of this request may be spent, and the database why."""
        try:
            async with asyncio.timeout(GIVE_BACK_SECONDS):
                await keys.release(key)
        except (TimeoutError, *DatabaseUnavailableError) as error:
            log.warning("idempotency key not given back, it runs out by itself", error=repr(error))

    async def _keep(
        self, keys: IdempotencyKeys, key: str, status: int, headers: list[tuple[str, str]], body: bytes
    ) -> None:
        try:
            if status >= 500:
                await self._release(keys, key)
            elif status in _NOT_KEPT:
                await keys.forget(key)
            else:
                await keys.answer(key, status, headers, body)
        except DatabaseUnavailableError as error:
            log.warning("idempotent answer not kept", error=repr(error))

    async def _repeat(self, known: StoredResponse, fingerprint: str, send: Send) -> None:
        if known.fingerprint != fingerprint:
            raise InvalidInputError(
                "This Idempotency-Key was used for another request.",
                errors=(FieldError("already used with another body", "Idempotency-Key"),),
            )
        if known.status is None:
            raise IdempotencyStateError("The first request with this key is not finished yet.")
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in known.headers]
        headers += [(b"content-length", str(len(known.body)).encode()), (b"idempotency-replayed", b"true")]
        await send({"type": "http.response.start", "status": known.status, "headers": headers})
        await send({"type": "http.response.body", "body": known.body})


async def is_repeated(scope: Scope) -> bool:
    """Whether an earlier request had this one's key, so that only its answer can be right.

    True also for a key that `IdempotencyMiddleware` will refuse. Raises what the driver raises when the database is
    away.
    """
    header = _header(scope)
    if header is None:
        return False
    keys: IdempotencyKeys = scope["app"].state.idempotency_keys
    return not _KEY.fullmatch(header) or await keys.knows(_key(scope, header))


def _header(scope: Scope) -> str | None:
    """The key as it was sent; None for those who sent none, or are not signed in."""
    value = header_of(scope, b"idempotency-key")
    return None if value is None or scope["state"]["user"] is None else value.decode("latin-1")


def _key(scope: Scope, header: str) -> str:
    """A key belongs to one caller and one path."""
    return hashlib.sha256(f"{scope['state']['user'].id}\n{scope['path']}\n{header}".encode()).hexdigest()


async def creation_id(request: Request) -> str | None:
    """The id for what this request makes; None when it came without an Idempotency-Key, and any will do."""
    given: str | None = getattr(request.state, "creation_id", None)
    return given


CreationId: TypeAlias = Annotated[str | None, Depends(creation_id)]
