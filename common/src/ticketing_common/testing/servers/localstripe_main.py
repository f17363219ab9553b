"""Runs localstripe with its store in a given file, on loopback or another address; `python -m … PORT FILE [HOST]`."""

import asyncio
import contextlib
import os
import pickle
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from aiohttp import web

__all__ = ["main"]

SAVE_SECONDS: Final = 1.0


def main(port: int, file: Path, host: str = "127.0.0.1") -> None:
    """Serve until told to stop.

    localstripe writes its whole store to one fixed path at every change: slower with every payment, and shared by all
    that run on a machine. Here it is saved once a second, and at the end.
    """
    from localstripe import resources, server

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
    web.run_app(server.app, host=host, port=port, print=lambda _line: None, access_log=None)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:4])
