"""Requests over faulty connections: the behaviour of this transport, and of aiohttp that it relies on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import stripe

from ticketing_common.telemetry import consumer_span
from ticketing_payments.stripe_gateway.transport import StripeTransport
from ticketing_testkit.spans import recorded_spans

ANSWER = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\n{}"
REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"


class Server:
    """Sends complete responses, except for the next requests that a test configures."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[tuple[int, str]] = []
        self.next: list[str] = []
        self.made = 0
        self.answered = asyncio.Event()
        self.gone = asyncio.Event()

    @property
    def lines(self) -> list[tuple[int, str]]:
        """The number of the connection and the first line of each request."""
        return [(connection, head.partition(" HTTP/")[0]) for connection, head in self.requests]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.made += 1
        connection = self.made
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.requests.append((connection, head))
                body = head.lower().partition("content-length: ")[2].partition("\r\n")[0]
                await reader.readexactly(int(body or 0))
                await self._answer(self.next.pop(0) if self.next else "whole", reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            self.gone.set()

    async def _answer(self, kind: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers = {"silent": b"", "cut": ANSWER[:-1], "half": ANSWER[:-1], "garbage": b"hello\r\n\r\n", "reset": b""}
        writer.write(answers.get(kind, REDIRECT if kind == "redirect" else ANSWER))
        await writer.drain()
        self.answered.set()
        if kind == "reset":
            writer.transport.abort()
        if kind in ("cut", "garbage", "last"):
            writer.close()
        if kind in ("silent", "half"):
            await reader.readexactly(1)  # never arrives: the client disconnects


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = "http://127.0.0.1:{}".format(*listening.sockets[0].getsockname()[1:2])
    try:
        yield server
    finally:
        listening.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as server:
        yield server


@pytest.fixture
async def transport(server: Server) -> AsyncIterator[StripeTransport]:
    async with StripeTransport.connect(server.url) as connected:
        yield connected


async def test_connections_are_kept_and_cookies_are_not(transport: StripeTransport, server: Server) -> None:
    for method, body in (("GET", None), ("POST", "amount=1"), ("POST", ""), ("GET", None)):
        content, status, headers = await transport.request_async(method, f"{server.url}/v1", {}, body)
        assert (content, status, headers.get("content-length")) == (b"{}", 200, "2")
    assert {connection for connection, _ in server.requests} == {1}
    assert "cookie" not in str(server.requests).lower()


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("kind", ["reset", "cut", "garbage"])
async def test_a_broken_response_is_no_response_and_nothing_is_sent_twice(
    transport: StripeTransport, server: Server, method: str, kind: str
) -> None:
    """By default aiohttp retries a GET, and Stripe's class raises aiohttp's error for a truncated response."""
    await transport.request_async("GET", f"{server.url}/first", {})
    server.next = [kind]
    with pytest.raises(stripe.APIConnectionError):
        await transport.request_async(method, f"{server.url}/second", {})
    assert server.lines == [(1, "GET /first"), (1, f"{method} /second")]
    await transport.request_async("GET", f"{server.url}/third", {})
    assert server.lines[2:] == [(2, "GET /third")]


async def test_a_closed_connection_is_not_reused(transport: StripeTransport, server: Server) -> None:
    server.next = ["last"]
    await transport.request_async("GET", f"{server.url}/first", {})
    await asyncio.wait_for(server.gone.wait(), 30)
    await transport.request_async("POST", f"{server.url}/second", {}, "amount=1")
    assert server.lines == [(1, "GET /first"), (2, "POST /second")]


@pytest.mark.parametrize("kind", ["silent", "half"])
async def test_a_connection_with_an_abandoned_response_is_closed(
    transport: StripeTransport, server: Server, kind: str
) -> None:
    """With Stripe's class half a response keeps the connection, and a hundred of them block every further call."""
    server.next = [kind]

    async def give_up(limit: asyncio.Timeout) -> None:
        await server.answered.wait()  # as far as it responds
        for _ in range(10):
            await asyncio.sleep(0)  # so that the available bytes are read
        limit.reschedule(asyncio.get_running_loop().time())

    async def ask() -> None:
        async with asyncio.timeout(30) as limit, asyncio.TaskGroup() as group:
            group.create_task(give_up(limit))
            await transport.request_async("POST", f"{server.url}/first", {})

    with pytest.raises(TimeoutError):
        await ask()
    await asyncio.wait_for(server.gone.wait(), 30)
    await transport.request_async("GET", f"{server.url}/second", {})
    assert server.lines == [(1, "POST /first"), (2, "GET /second")]


async def test_a_redirect_is_not_followed(transport: StripeTransport, server: Server) -> None:
    """A POST would become a GET of another resource."""
    server.next = ["redirect"]
    _, status, _ = await transport.request_async("POST", f"{server.url}/first", {}, "amount=1")
    assert (status, server.lines) == (302, [(1, "POST /first")])


async def test_an_unreachable_server_and_a_closed_transport_give_no_response(server: Server) -> None:
    async with StripeTransport.connect("http://127.0.0.1:1") as transport:
        with pytest.raises(stripe.APIConnectionError):
            await transport.request_async("GET", "http://127.0.0.1:1/v1", {})
    with pytest.raises(stripe.APIConnectionError):
        await transport.request_async("GET", f"{server.url}/v1", {})


@pytest.mark.parametrize(("direct", "asked"), [("", "GET http://stripe.invalid/v1"), ("stripe.invalid", None)])
async def test_the_environments_proxy_is_used(
    server: Server, monkeypatch: pytest.MonkeyPatch, direct: str, asked: str | None
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", direct)
    async with StripeTransport.connect("http://stripe.invalid") as transport:
        try:
            await transport.request_async("GET", "http://stripe.invalid/v1", {})
        except stripe.APIConnectionError:
            assert asked is None, "there is no such host"
    assert [line for _, line in server.lines] == [asked] * (asked is not None)


@pytest.mark.parametrize(("flags", "spans"), [("01", ["GET"]), ("00", [])])
async def test_a_call_is_a_span_of_a_sampled_trace(server: Server, flags: str, spans: list[str]) -> None:
    received = "0af7651916cd43dd8448eb211c80319c"
    with recorded_spans() as recorded, consumer_span("pay", f"00-{received}-b7ad6b7169203331-{flags}", {}):
        async with StripeTransport.connect(server.url) as transport:
            await transport.request_async("GET", f"{server.url}/v1", {})
        found = recorded.of(received)
    assert [span.name for span in found] == spans
    assert ("traceparent" in server.requests[0][1].lower()) is bool(spans)
