"""The connection to NATS of the commands that use the event bus."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import nats
import nats.errors
import typer
from nats.aio.client import Client

from ticketing_common.messaging import tls_options

from .console import fail
from .data_dir import DataDirOption, data_dir_of

__all__ = ["DataDirOption", "age_text", "connect", "on_bus"]

CONNECT_SECONDS: Final = 5.0


def _nats_url(data_dir: Path | None) -> str:
    """`NATS_URL`, or the address of the running stack's server."""
    if os.environ.get("NATS_URL"):
        return os.environ["NATS_URL"]
    state = data_dir_of(data_dir).running_state()
    if state is None or "nats" not in state.addresses:
        fail("Nothing is running here. Start it with `make up`, or set NATS_URL.")
    return state.addresses["nats"]


async def connect(url: str, *, name: str, inbox: str = "_INBOX", ca_file: str = "") -> Client:
    """A connection that does not reconnect, and whose errors never contain the address (it can hold a password).

    Replies arrive on subjects below `inbox`; a restricted user may subscribe to its own only. With `ca_file` (PEM) the
    server must have a certificate of that CA. Raises OSError,
    TimeoutError, ValueError or one of the client's errors.
    """

    async def ignore(_error: Exception) -> None:
        """Do nothing: the caller reports the error."""

    # The client's own timeout covers one attempt; if no server listens it retries without end (measured).
    async with asyncio.timeout(CONNECT_SECONDS):
        return await nats.connect(
            url,
            name=name,
            allow_reconnect=False,
            connect_timeout=3,
            error_cb=ignore,
            inbox_prefix=inbox,
            **tls_options(ca_file),
        )


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Client]:
    try:
        client = await connect(url, name="ticketing", ca_file=os.environ.get("INTERNAL_CA_FILE", ""))
    except (OSError, TimeoutError, ValueError, nats.errors.Error) as error:
        fail(f"NATS does not answer: {type(error).__name__}.")
    try:
        yield client
    finally:
        await client.close()


def on_bus(data_dir: Path | None, command: Callable[[Client], Awaitable[None]]) -> None:
    """Run a command with a connection; Ctrl-C ends it with status 130 and no traceback."""
    url = _nats_url(data_dir)

    async def run() -> None:
        async with _connected(url) as client:
            await command(client)

    try:
        asyncio.run(run())
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def age_text(seconds: float) -> str:
    """A duration as short text: `3.2s`, `5m`, `2h`, `1d`."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{max(seconds, 0):.1f}s"
