"""Runs localstripe with its store in a given file: `python -m … PORT FILE [HOST]`, on loopback by default."""

import asyncio
import contextlib
import os
import pickle
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

from aiohttp import web

SAVE_SECONDS: Final = 1.0


class FaultSwitch:
    """The present fault of the double: none, or one kind of fault for every call of the API."""

    def __init__(self) -> None:
        self._kind: str | None = None
        self._seconds = 0.0

    async def turn(self, request: web.Request) -> web.Response:
        """`{"kind": "slow" | "failing" | "lying" | null, "seconds": …}`.

        `slow`: delays every response by `seconds`. `failing`: 503 without an effect. `lying`: executes the request and
        responds with 500.
        """
        asked = await request.json()
        self._kind, self._seconds = asked["kind"], float(asked.get("seconds", 0))
        return web.json_response({"kind": self._kind})

    @web.middleware
    async def apply(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Middleware that applies the fault to each call."""
        kind = self._kind if request.path.startswith("/v1/") else None
        if kind == "slow":
            await asyncio.sleep(self._seconds)
        if kind == "failing":
            return self._broken(503)
        answer = await handler(request)
        return self._broken(500) if kind == "lying" else answer

    def _broken(self, status: int) -> web.Response:
        error = {"type": "api_error", "message": "an injected fault"}
        return web.json_response({"error": error}, status=status)


def main(port: int, file: Path, host: str = "127.0.0.1") -> None:
    """Serve until a signal.

    localstripe writes its whole store to one fixed path at every change, which gets slower with every payment and is
    shared by all instances on a machine. This program saves it once a second and at the end.
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
        # This program wrote the file itself; a pickle from another source is never read.
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
    server.app.middlewares.insert(0, switch.apply)
    server.app.router.add_post("/_config/fault", switch.turn)
    web.run_app(server.app, host=host, port=port, print=lambda _line: None, access_log=None)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:4])
