"""How the commands that look at the event bus reach it."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import nats
import nats.errors
import typer
from nats.aio.client import Client

from .console import fail
from .data_dir import DataDir, repository_root

__all__ = ["DataDirOption", "age_text", "on_bus"]

DataDirOption = Annotated[Path | None, typer.Option("--data-dir", help="The stack's data directory [.local]")]


def _nats_url(data_dir: Path | None) -> str:
    """`NATS_URL`, or the running stack's."""
    if os.environ.get("NATS_URL"):
        return os.environ["NATS_URL"]
    data = DataDir(data_dir or repository_root() / ".local")
    state = data.read_state()
    if state is None or not data.is_running() or "nats" not in state.addresses:
        fail("Nothing is running here. Start it with `make up`, or set NATS_URL.")
    return state.addresses["nats"]


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Client]:
    try:
        client = await nats.connect(url, allow_reconnect=False, connect_timeout=3)
    except (OSError, TimeoutError, nats.errors.Error) as error:
        fail(f"NATS does not answer: {error!r}")
    try:
        yield client
    finally:
        await client.close()


def on_bus(data_dir: Path | None, command: Callable[[Client], Awaitable[None]]) -> None:
    """Run a command with a connection; Ctrl-C ends it quietly."""
    url = _nats_url(data_dir)

    async def run() -> None:
        async with _connected(url) as client:
            await command(client)

    try:
        asyncio.run(run())
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def age_text(seconds: float) -> str:
    """`3.2s`, `5m`, `2h`, `1d`: how long ago, short."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{max(seconds, 0):.1f}s"
