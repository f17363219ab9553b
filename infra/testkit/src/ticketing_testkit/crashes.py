"""Dying at the worst moment, inside a test's own process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from fastapi import FastAPI

from ticketing_common.entity import utc_now
from ticketing_common.storage import IdempotencyKeys

__all__ = ["KilledError", "dying_before_the_answer"]


class KilledError(Exception):
    """The process ended here; nobody catches that."""


class _Dying(IdempotencyKeys):
    """Neither the answer nor the end of the request reaches the database."""

    async def answer(self, *_: Any) -> None:
        raise KilledError

    async def release(self, key: str) -> None:
        pass


@asynccontextmanager
async def dying_before_the_answer(app: FastAPI) -> AsyncIterator[None]:
    """Requests in here do what they do, and die before their answer is kept; at the end a minute has passed.

    What the client of this test sees of such a request means nothing: the other side is gone.
    """
    keys, collection = app.state.idempotency_keys, app.state.runtime.collection("idempotency_keys")
    app.state.idempotency_keys = _Dying(collection)
    try:
        yield
    finally:
        app.state.idempotency_keys = keys
    long_ago = {"abandoned_at": utc_now() - timedelta(seconds=1)}
    await collection.update_many({"status": {"$exists": False}}, {"$set": long_ago})
