"""GET /api/tickets/stream: the memory of a replica for streams whose clients read nothing."""

import asyncio
import fcntl
import gc
import logging
import socket
import struct
import termios
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI

from ticketing_common.web import LiveFeed, sse
from ticketing_common.web.connections import BUFFER_BYTES
from ticketing_common.web.live_feed import HISTORY_BYTES
from ticketing_common.web.recent_events import Reader
from ticketing_common.web.sse import CHUNK_BYTES
from ticketing_testkit.apps import Bus, serve_app
from ticketing_testkit.event_streams import listen
from ticketing_testkit.waiting import until
from ticketing_tickets.app import create_app
from ticketing_tickets.domain import Ticket
from ticketing_tickets.publishers import ticket_updated
from ticketing_tickets.settings import Settings

STREAM = "/api/tickets/stream"
STREAMS = 100
EVENTS = 600
LONGEST = 10 * 1024
"""Bytes of an event with the longest description."""


@pytest.fixture
def app(service_settings: dict[str, object], bus: Bus) -> FastAPI:
    return create_app(Settings.model_validate(service_settings))


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with serve_app(app) as connected:
        yield connected


def in_kernel(transport: asyncio.Transport) -> int:
    """Bytes in the kernel's send buffer for the peer."""
    answer = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, b"\0" * 4)
    return int(struct.unpack("i", answer)[0])


async def test_streams_that_resume_from_far_back_and_read_nothing_hold_little_and_give_it_back(
    app: FastAPI,
    client: httpx.AsyncClient,
    bus: Bus,
    ticket: Ticket,
    transports: list[asyncio.Transport],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    feed: LiveFeed = app.state.feed
    long = replace(ticket, description="\N{MUSICAL SYMBOL G CLEF}" * 2_000)
    for version in range(1, EVENTS + 1):
        await bus.publish(ticket_updated(replace(long, version=version)))
    await until(lambda: feed.position == EVENTS)
    assert feed._recent.bytes <= HISTORY_BYTES < EVENTS * 8_000  # there were more events than the feed keeps
    after = EVENTS - len(feed._recent)

    transports.clear()
    with ExitStack() as sockets:
        for _ in range(STREAMS):
            peer = sockets.enter_context(socket.socket())
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.connect((client.base_url.host, client.base_url.port))
            peer.sendall(f"GET {STREAM} HTTP/1.1\r\nHost: tickets\r\nLast-Event-ID: {after}\r\n\r\n".encode())
        await until(lambda: len(transports) == STREAMS and all(one.get_write_buffer_size() for one in transports))

        kept = [one.get_write_buffer_size() for one in transports]
        assert max(kept) < BUFFER_BYTES + CHUNK_BYTES + LONGEST
        assert sum(kept) < STREAMS * (BUFFER_BYTES + CHUNK_BYTES)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            assert max(in_kernel(one) for one in transports) < 8 * BUFFER_BYTES
        readers = [one for one in gc.get_objects() if type(one) is Reader]  # isinstance would follow weak proxies
        assert len(readers) == feed.limits.taken == STREAMS
        assert not any(reader._waiting or reader.first for reader in readers)
        readers.clear()

        async with listen(client, STREAM, after=after) as stream:  # the others are served as before
            assert [one.id for one in await stream.take(EVENTS - after)] == list(range(after + 1, EVENTS + 1))

        monkeypatch.setattr(sse, "SEND_SECONDS", 0.5)
        await until(lambda: feed.limits.taken == 0)
        # All of it is given back while the peers are still connected.
        assert sum(one.get_write_buffer_size() for one in transports) == 0
        assert all(one.is_closing() for one in transports[:STREAMS])
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    gc.collect()
    assert not [one for one in gc.get_objects() if type(one) is Reader]
