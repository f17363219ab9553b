"""Idempotency-Key: a repeated request has no second effect and gets the stored response.

The header's meaning follows the IETF draft `draft-ietf-httpapi-idempotency-key-header` and Stripe's practice.
"""

import asyncio
import hashlib
import re
from typing import Annotated, Final, TypeAlias

from fastapi import Depends, Request, Response

from ticketing_common.asgi import header_of
from ticketing_common.errors import ConflictError, FieldError, InvalidInputError
from ticketing_common.storage import Claim, DatabaseUnavailableError, IdempotencyKeys, StoredResponse
from ticketing_common.telemetry import get_logger

from .error_handlers import REFUSALS, refusal_of
from .wrapped_routes import Handler, wrapped_by

log = get_logger(__name__)

_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT_HEADERS: Final = frozenset({b"content-type", b"location", b"retry-after"})
_NOT_KEPT: Final = frozenset({401, 408, 429})
"""Statuses that depend on the moment and not on the request."""
GIVE_BACK_SECONDS: Final = 1.0


class IdempotencyStateError(ConflictError):
    """The first request with this key is still running."""

    title = "Still running"


def _once(handler: Handler) -> Handler:
    async def handle(request: Request) -> Response:
        header = _header(request)
        if header is None:
            return await handler(request)
        if not _KEY.fullmatch(header):
            raise InvalidInputError(
                "An Idempotency-Key is 1 to 255 visible ASCII characters.",
                errors=(FieldError("not a valid key", "Idempotency-Key"),),
            )
        keys: IdempotencyKeys = request.app.state.idempotency_keys
        key, fingerprint = _key(request, header), hashlib.sha256(await request.body()).hexdigest()
        known = await keys.claim(key, fingerprint)
        if isinstance(known, StoredResponse):
            return _repeated(known, fingerprint)
        return await _first(handler, request, keys, key, known)

    return handle


idempotent = wrapped_by(_once)
"""Decorates an endpoint that creates: a repeated request gets the first response, and nothing is created twice.

For callers who are signed in and send the header. A key belongs to one caller and one path. It is claimed before the
body is validated and before any dependency runs, so every response but a 5xx, 401, 408 and 429 is kept under it for 24
hours, refusals included. A 5xx decided nothing, and a repeated request runs. When the process dies between the effect
and the storing of the response, the key frees itself after a minute.

Neither of these may create a second thing: the endpoint takes a `CreationId`, the same for every try with one key, and
stores with it (`Repository.add_once`).
"""


async def _first(handler: Handler, request: Request, keys: IdempotencyKeys, key: str, claim: Claim) -> Response:
    request.state.creation_id = claim.creation_id
    try:
        try:
            response = await handler(request)
        except REFUSALS as error:
            response = await refusal_of(error, request)  # a refusal is kept like any response
        # Stored before it is sent: a caller who received the response gets the same one again.
        await _keep(keys, key, response)
    except BaseException:
        await _release(keys, key)
        raise
    return response


async def _keep(keys: IdempotencyKeys, key: str, response: Response) -> None:
    try:
        if response.status_code >= 500:
            await _release(keys, key)
        elif response.status_code in _NOT_KEPT:
            await keys.forget(key)
        else:
            kept = [(name, value) for name, value in response.raw_headers if name.lower() in _KEPT_HEADERS]
            headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in kept]
            await keys.answer(key, response.status_code, headers, bytes(response.body))
    except DatabaseUnavailableError as error:
        log.warning("idempotent response not stored", error=repr(error))


async def _release(keys: IdempotencyKeys, key: str) -> None:
    """Release the key for the next attempt, within 1 s: a slow database may have used up this request's time."""
    try:
        async with asyncio.timeout(GIVE_BACK_SECONDS):
            await keys.release(key)
    except (TimeoutError, *DatabaseUnavailableError) as error:
        log.warning("idempotency key not released, it expires by itself", error=repr(error))


def _repeated(known: StoredResponse, fingerprint: str) -> Response:
    if known.fingerprint != fingerprint:
        raise InvalidInputError(
            "This Idempotency-Key was used for another request.",
            errors=(FieldError("already used with another body", "Idempotency-Key"),),
        )
    if known.status is None:
        raise IdempotencyStateError("The first request with this key is not finished yet.")
    return Response(known.body, known.status, {**dict(known.headers), "Idempotency-Replayed": "true"})


async def is_repeated(request: Request) -> bool:
    """Whether an earlier request had the same key, so that only its response is correct.

    True also for a key that `idempotent` will refuse. Raises the driver's error when the database is unavailable.
    """
    header = _header(request)
    if header is None:
        return False
    keys: IdempotencyKeys = request.app.state.idempotency_keys
    return not _KEY.fullmatch(header) or await keys.knows(_key(request, header))


def _header(request: Request) -> str | None:
    """The key as it was sent; None for a caller who sent none or is not signed in."""
    value = header_of(request.scope, b"idempotency-key")
    return None if value is None or request.state.user is None else value.decode("latin-1")


def _key(request: Request, header: str) -> str:
    """The stored key; it includes the caller and the path."""
    return hashlib.sha256(f"{request.state.user.id}\n{request.scope['path']}\n{header}".encode()).hexdigest()


async def creation_id(request: Request) -> str | None:
    """The id for the aggregate that this request creates; None without an Idempotency-Key: any id will do."""
    given: str | None = getattr(request.state, "creation_id", None)
    return given


CreationId: TypeAlias = Annotated[str | None, Depends(creation_id)]
