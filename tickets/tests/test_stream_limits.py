"""GET /api/tickets/stream: the limit of open streams, slow clients, and shutdown."""

import asyncio
import json
import os
import signal
import socket
import ssl
import sys
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from prometheus_client import REGISTRY

from ticketing_common.events import TicketCreated
from ticketing_common.web import sse
from ticketing_testkit.apps import Bus, serve_app
from ticketing_testkit.authority import Authority
from ticketing_testkit.event_streams import listen
from ticketing_testkit.servers import free_port
from ticketing_testkit.waiting import until
from ticketing_tickets.app import create_app
from ticketing_tickets.domain import Ticket
from ticketing_tickets.publishers import ticket_updated
from ticketing_tickets.settings import Settings

STREAM = "/api/tickets/stream"


async def test_the_number_of_streams_is_limited(
    service_settings: dict[str, object], bus: Bus, seller: dict[str, str]
) -> None:
    settings = Settings.model_validate(service_settings | {"max_streams": 2})
    async with serve_app(create_app(settings)) as client:
        async with listen(client, STREAM) as first, listen(client, STREAM) as second:
            await first.next()
            await second.next()
            refused = await client.get(STREAM)
            assert refused.status_code == 503
            assert refused.headers["content-type"] == "application/problem+json"
            assert int(refused.headers["retry-after"]) > 0
            assert (await client.get("/api/tickets")).status_code == 200
        async with asyncio.timeout(30):  # another stream is allowed as soon as the service has noticed
            while True:
                async with client.stream("GET", STREAM) as answer:
                    if answer.status_code == 200:
                        break
                await asyncio.sleep(0.02)


async def test_a_client_that_reads_nothing_is_disconnected_and_the_others_are_not(
    client: httpx.AsyncClient, bus: Bus, ticket: Ticket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "QUEUE", 4)
    monkeypatch.setattr(sse, "SEND_SECONDS", 3.0)
    before = ended_as("slow")
    long = replace(ticket, description="x" * 200_000)  # longer than sellers may write, so that buffers are full sooner
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect((client.base_url.host, client.base_url.port))
    reader, writer = await asyncio.open_connection(sock=connection, limit=1024)
    try:
        writer.write(f"GET {STREAM} HTTP/1.1\r\nHost: tickets\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        async with listen(client, STREAM) as stream:
            await stream.next()
            for version in range(1, 61):
                await bus.publish(ticket_updated(replace(long, version=version)))
                assert json.loads((await stream.next()).data)["version"] == version
        await until(lambda: ended_as("slow") != before)
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        async with asyncio.timeout(30):
            while await reader.read(65_536):
                pass
    finally:
        writer.close()


def ended_as(reason: str) -> float:
    return REGISTRY.get_sample_value("live_streams_ended_total", {"service": "tickets", "reason": reason}) or 0.0


async def test_a_stream_without_events_sends_heartbeats(service_settings: dict[str, object], bus: Bus) -> None:
    settings = Settings.model_validate(service_settings | {"stream_heartbeat_seconds": 0.05})
    async with serve_app(create_app(settings)) as client, listen(client, STREAM) as stream:
        await stream.next()
        listening = asyncio.create_task(stream.next())
        await until(lambda: stream.comments)
        assert not listening.done()
        listening.cancel()
        await asyncio.wait([listening])


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_service_that_shuts_down_ends_its_streams_first(
    service_settings: dict[str, object], bus: Bus, seller: dict[str, str], tmp_path: Path, scheme: str
) -> None:
    """The server waits until every answer is complete, and a stream would never be."""
    port = free_port()
    variables = {
        name.upper(): value if isinstance(value, str) else json.dumps(value) for name, value in service_settings.items()
    }
    authority = Authority()
    if scheme == "https":
        authority.fill(tmp_path / "tls", ["localhost"])
        variables["UVICORN_SSL_CERTFILE"] = str(tmp_path / "tls" / "tls.crt")
        variables["UVICORN_SSL_KEYFILE"] = str(tmp_path / "tls" / "tls.key")
    trust = ssl.create_default_context(cadata=authority.pem.decode())
    # Over TLS a server that closes a connection waits for the peer to agree, and the idle ones of this client do not.
    options = ("--factory", "--port", str(port), "--timeout-graceful-shutdown", "1")
    command = (sys.executable, "-m", "uvicorn", "ticketing_tickets.app:create_app", *options)
    with (tmp_path / "log").open("w") as log:
        process = await asyncio.create_subprocess_exec(*command, env=os.environ | variables, stdout=log, stderr=log)
    try:
        async with httpx.AsyncClient(base_url=f"{scheme}://localhost:{port}", verify=trust, timeout=30) as client:
            await is_ready(client)
            async with listen(client, STREAM) as one, listen(client, STREAM) as other:
                await asyncio.gather(one.next(), other.next())
                await client.post("/api/tickets", json={"title": "Last", "price": 1}, headers=seller)
                process.terminate()
                seen = await asyncio.gather(one.rest(), other.rest())
                assert all([one.event for one in rest] in ([], ["ticket.created"]) for rest in seen)
            async with asyncio.timeout(30):
                assert await process.wait() in (0, -signal.SIGTERM)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert "Traceback" not in (tmp_path / "log").read_text()
    assert [event.data.title for event in await bus.events(TicketCreated)] == ["Last"]


async def is_ready(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                if (await client.get("/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)
