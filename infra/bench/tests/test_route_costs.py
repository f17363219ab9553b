"""A small run, so that the benchmark keeps working; and the generator against faulty servers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest

from ticketing_bench import wire
from ticketing_bench.generator import GeneratorRole
from ticketing_bench.measurement import InvalidRunError
from ticketing_bench.route_costs.rounds import check_answers
from ticketing_bench.route_costs.run import Sizes, empty_streams, run
from ticketing_bench.wire import Connections, http_request
from ticketing_common.topology import STREAM_SUBJECTS
from ticketing_testkit.apps import Bus

SMALL = Sizes(rounds=2, seconds=0.1, watch_seconds=0.3, catalogue=50, buyers=50, connections=4)
GET = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def test_a_small_run_measures_all_sides() -> None:
    printed: list[str] = []

    findings = run(SMALL, printed.append)

    names = [one.name for one in findings]
    costs = [
        "GET /api/tickets",
        "GET /api/tickets/{id}",
        "traced GET /api/tickets/{id}",
        "traced POST /api/tickets",
        "POST /api/orders, refused",
        "POST /api/orders, refused, new buyers",
        "POST /api/orders",
        "POST /api/users/signin",
    ]
    delays = ["GET currentuser while people sign in", "GET a payment while Stripe hangs"]
    processors = [f"{name}, processor" for name in costs]
    parts = [f"{name}, {part}" for name in delays for part in ("p50", "p99")]
    assert sorted(names) == sorted([*costs, *processors, *parts])
    for one in findings:
        assert len(one.rounds) == len(one.baseline) == 2
        assert min(*one.rounds, *one.baseline) > 0
    assert len(printed) == 2 * 2 * (len(costs) + len(delays))
    assert findings[-1].cpu.keys() >= {"server", "generator", "mongod", "stripe-double"}


async def test_no_part_receives_the_events_of_another(bus: Bus, nats_url: str) -> None:
    for name, subject in STREAM_SUBJECTS.items():
        await bus.js.publish(subject.replace(">", "published.before"), b"{}", stream=name)

    await empty_streams(nats_url)

    assert {(await bus.js.stream_info(name)).state.messages for name in STREAM_SUBJECTS} == {0}


@pytest.mark.unit
def test_a_request_says_how_long_its_body_is() -> None:
    assert http_request("GET", "/a") == "GET /a HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    posted = http_request("POST", "/a", token="t", body={"title": "é"})
    head, _, body = posted.partition("\r\n\r\n")
    assert "Authorization: Bearer t" in head.split("\r\n")
    assert f"Content-Length: {len(body.encode())}" in head.split("\r\n")


@pytest.mark.unit
@pytest.mark.parametrize("statuses", [{}, {200: 9, 503: 1}, {500: 10}], ids=["none", "one other", "all other"])
def test_a_side_with_unexpected_statuses_is_refused(statuses: dict[int, int]) -> None:
    check_answers("list", {200: 10}, 200)
    with pytest.raises(InvalidRunError, match="list: 200 was expected"):
        check_answers("list", statuses, 200)


async def _answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.readuntil(b"\r\n\r\n"):
        writer.write(OK)


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Serve], Awaitable[int]]]:
    """Listens on a free port until the test ends."""
    servers: list[asyncio.Server] = []
    writers: list[asyncio.StreamWriter] = []

    async def start(answer: Serve) -> int:
        async def kept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            with suppress(asyncio.IncompleteReadError, ConnectionError):  # the client may disconnect at any time
                await answer(reader, writer)

        server = await asyncio.start_server(kept, "127.0.0.1", 0)
        servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    yield start
    for server in servers:
        server.close()
    for writer in writers:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@pytest.fixture
def generator() -> GeneratorRole:
    return GeneratorRole(urls={}, pids={})


async def test_answers_in_pieces_are_put_together(serve: Callable[[Serve], Awaitable[int]]) -> None:
    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            for byte in OK:
                writer.write(bytes([byte]))
                await writer.drain()

    async with Connections(await serve(slowly)) as connections:
        assert [await connections.ask(GET.encode()) for _ in range(3)] == [(200, b"ok")] * 3


@pytest.mark.parametrize(("idle_seconds", "opened"), [(60.0, 1), (0.0, 3)])
async def test_a_connection_is_used_again_unless_it_was_idle_for_long(
    serve: Callable[[Serve], Awaitable[int]], monkeypatch: pytest.MonkeyPatch, idle_seconds: float, opened: int
) -> None:
    """A server closes it after five seconds, which no run may take for a failure."""
    monkeypatch.setattr(wire, "IDLE_SECONDS", idle_seconds)
    accepted = 0

    async def counting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal accepted
        accepted += 1
        await _answering(reader, writer)

    async with Connections(await serve(counting)) as connections:
        assert [(await connections.ask(GET.encode()))[0] for _ in range(3)] == [200, 200, 200]
    assert accepted == opened


async def test_a_connection_that_ends_before_its_answer_is_an_error(serve: Callable[[Serve], Awaitable[int]]) -> None:
    async def leaving(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK[:20])
        writer.close()

    async with Connections(await serve(leaving)) as connections:
        with pytest.raises(ConnectionError):
            await connections.ask(GET.encode())


async def test_a_request_marked_once_is_sent_once(
    serve: Callable[[Serve], Awaitable[int]], generator: GeneratorRole
) -> None:
    answer = await generator.flood(
        port=await serve(_answering), requests=[GET] * 25, connections=4, seconds=30, once=True, pids={}
    )

    assert answer["statuses"] == {200: 25}
    assert answer["rate"] > 0


async def test_latency_counts_from_the_due_time_and_hanging_load_is_not_awaited(
    serve: Callable[[Serve], Awaitable[int]], generator: GeneratorRole
) -> None:
    asked = 0

    async def hanging_beside(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        while request := await reader.readuntil(b"\r\n\r\n"):
            if b"/hang" in request:
                await asyncio.Event().wait()
            asked += 1
            await asyncio.sleep(0.05)
            writer.write(OK)

    answer = await generator.watch(
        port=await serve(hanging_beside),
        probe={"rate": 50.0, "requests": [GET]},
        beside={"rate": 50.0, "requests": [GET.replace("/ ", "/hang ")]},
        lead_seconds=0.1,
        seconds=0.4,
        pids={},
    )

    assert (answer["statuses"], answer["beside"], asked) == ({200: 20}, {}, 20)
    assert 50 <= answer["p50"] <= answer["p99"]
