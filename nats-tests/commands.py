"""Programs that tests run as processes: the `ticketing` command, the tools, and the crash points."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path
from typing import Final

__all__ = ["run", "ticketing"]

HERE: Final = Path(__file__).parent
SECONDS: Final = 60.0


async def run(*arguments: str, **environment: str) -> tuple[int, str]:
    """Run Python with these arguments; returns its exit status (negative: the signal) and its output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=PIPE, stderr=STDOUT, cwd=HERE, env={**os.environ, **environment}
    )
    try:
        async with asyncio.timeout(SECONDS):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return process.returncode, output.decode()


async def ticketing(*arguments: str, nats_url: str) -> str:
    """Run the `ticketing` command against this bus; returns its output."""
    status, output = await run("-m", "ticketing_ops", *arguments, NATS_URL=nats_url, COLUMNS="200")
    assert status == 0, output
    return output
