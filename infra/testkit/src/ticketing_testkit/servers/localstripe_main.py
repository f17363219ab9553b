"""Runs localstripe with its store in a given file, on loopback or another address; `python -m … PORT FILE [HOST]`."""

import asyncio
import contextlib
import os
import pickle
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

from aiohttp import web

__all__ = ["main"]

SAVE_SECONDS: Final = 1.0


class FaultSwitch:
    """What is wrong with the double at the moment: nothing, or one kind of fault for every call of the API."""

    def __init__(self) -> None:
        self._kind: str | None = None
        self._seconds = 0.0

    async def turn(self, request: web.Request) -> web.Response:
        """`{"kind": "slow" | "failing" | "lying" | null, "seconds": …}`.

        `slow`: every answer takes so many seconds more. `failing`: 503, and nothing is done. `lying`: it is done, and
        the answer says 500.
        """
        asked = await request.json()
        self._kind, self._seconds = asked["kind"], float(asked.get("seconds", 0))
        return web.json_response({"kind": self._kind})

    @web.middleware
    async def stand_between(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Between the double and whoever asks it."""
        kind = self._kind if request.path.startswith("/v1/") else None
        if kind == "slow":
            await asyncio.sleep(self._seconds)
        if kind == "failing":
            return self._broken(503)
        answer = await handler(request)
        return self._broken(500) if kind == "lying" else answer

    def _broken(self, status: int) -> web.Response:
        error = {"type": "api_error", "message": "a fault that was asked for"}
        return web.json_response({"error": error}, status=status)


def main(port: int, file: Path, host: str = "127.0.0.1") -> None:
    """Serve until told to stop.

    localstripe writes its whole store to one fixed path at every change: slower with every payment, and shared by all
    that run on a machine. Here it is saved once a second, and at the end.
    """
    from localstripe import resources, server

    from . import stripe_refunds

    stripe_refunds.extend(server.app)
    dirty = False

    def mark_dirty(_store: object) -> None:
        nonlocal dirty
        dirty = True

    def save() -> None:
        nonlocal dirty
        if not dirty:
            return
        dirty = False
        temporary = file.with_suffix(".new")
        temporary.write_bytes(pickle.dumps(dict(resources.store), protocol=pickle.HIGHEST_PROTOCOL))
        os.replace(temporary, file)

    resources.Store.dump_to_disk = mark_dirty
    if file.exists():
        # Our own file, written above; nobody else's pickle is ever read.
        resources.store.update(pickle.loads(file.read_bytes()))  # noqa: S301
        stripe_refunds.recount()

    async def save_regularly(_app: web.Application) -> AsyncIterator[None]:
        async def loop() -> None:
            while True:
                await asyncio.sleep(SAVE_SECONDS)
                save()

        task = asyncio.create_task(loop())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        save()

    server.app.cleanup_ctx.append(save_regularly)
    switch = FaultSwitch()
    server.app.middlewares.insert(0, switch.stand_between)
    server.app.router.add_post("/_config/fault", switch.turn)
    web.run_app(server.app, host=host, port=port, print=lambda _line: None, access_log=None)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:4])
