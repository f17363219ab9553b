"""Simulates a crash of the service at a critical moment, inside the test's process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from fastapi import FastAPI

from ticketing_common.entity import utc_now
from ticketing_common.storage import IdempotencyKeys


class KilledError(Exception):
    """The simulated crash; no code catches it."""


class _Dying(IdempotencyKeys):
    """Idempotency keys whose response and release are not stored, as after a crash."""

    async def answer(self, *_: Any) -> None:
        raise KilledError

    async def release(self, key: str) -> None:
        pass


@asynccontextmanager
async def dying_before_the_answer(app: FastAPI) -> AsyncIterator[None]:
    """Requests in this block take effect and crash before their response is stored; the claims are expired at the end.

    The response that the test's client sees has no meaning, because the server crashed.
    """
    keys, collection = app.state.idempotency_keys, app.state.runtime.collection("idempotency_keys")
    app.state.idempotency_keys = _Dying(collection)
    try:
        yield
    finally:
        app.state.idempotency_keys = keys
    long_ago = {"abandoned_at": utc_now() - timedelta(seconds=1)}
    await collection.update_many({"status": {"$exists": False}}, {"$set": long_ago})
