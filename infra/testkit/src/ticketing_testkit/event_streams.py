"""Reads a service's server-sent events as a browser does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx

NEWS_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Shown:
    """One server-sent event; `data` is the text after `data: `."""

    event: str
    id: int
    data: str


class Listener:
    """An open stream; `comments` counts the heartbeats."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.comments = 0
        self._lines = answer.aiter_lines()

    async def next(self) -> Shown:
        """The next event; raises TimeoutError after 20 s and StopAsyncIteration at the end of the stream."""
        fields: dict[str, Any] = {}
        async with asyncio.timeout(NEWS_SECONDS):
            while True:
                line = await anext(self._lines)
                name, _, value = line.partition(": ")
                if line.startswith(":"):
                    self.comments += 1
                elif line:
                    assert name in {"event", "id", "data"}, line
                    fields[name] = value
                elif fields:
                    return Shown(fields["event"], int(fields["id"]), fields["data"])

    async def take(self, count: int) -> list[Shown]:
        """The next `count` events."""
        return [await self.next() for _ in range(count)]

    async def rest(self) -> list[Shown]:
        """All events up to the end of the stream."""
        shown = []
        while True:
            try:
                shown.append(await self.next())
            except StopAsyncIteration:
                return shown


@asynccontextmanager
async def listen(
    client: httpx.AsyncClient, path: str, *, after: int | str | None = None, headers: dict[str, str] | None = None
) -> AsyncIterator[Listener]:
    """Open the stream; raises when it is refused. `after` is the id of the last event received."""
    resuming = {} if after is None else {"Last-Event-ID": str(after)}
    async with client.stream("GET", path, headers={**(headers or {}), **resuming}) as answer:
        if answer.status_code != 200:
            await answer.aread()
        assert answer.status_code == 200, answer.text
        yield Listener(answer)
