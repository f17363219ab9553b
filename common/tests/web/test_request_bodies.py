"""Request bodies in memory: their total size, and which one is dropped for the next."""

import asyncio
from collections.abc import Iterable

import pytest
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from ticketing_common.errors import OverloadedError, RequestTimeoutError, TooLargeError
from ticketing_common.web import request_bodies
from ticketing_common.web.request_bodies import RequestBodyMiddleware

from .conftest import LoopClock

pytestmark = pytest.mark.unit

SCOPE: Scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"transfer-encoding", b"chunked")]}


class Target:
    """An application that holds each request until the gate opens."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.gate = asyncio.Event()
        self.app = RequestBodyMiddleware(self.take, max_bytes=100, max_total_bytes=250)

    async def take(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.bodies.append(await Request(scope, receive).body())
        await self.gate.wait()


class Sender:
    """Sends one body in pieces, controlled by the test."""

    def __init__(self, target: Target, scope: Scope = SCOPE) -> None:
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self.task = asyncio.ensure_future(self._call(target, scope))

    async def _call(self, target: Target, scope: Scope) -> None:
        async def send(message: Message) -> None:
            raise AssertionError(message)

        await target.app(scope, self._messages.get, send)

    async def send(self, size: int, *, more: bool = True) -> "Sender":
        self._messages.put_nowait({"type": "http.request", "body": b"x" * size, "more_body": more})
        await settled()
        return self

    async def leave(self) -> None:
        self._messages.put_nowait({"type": "http.disconnect"})
        await settled()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def target() -> Target:
    return Target()


async def done(senders: Iterable[Sender]) -> list[BaseException | None]:
    return list(await asyncio.gather(*(sender.task for sender in senders), return_exceptions=True))


async def test_a_body_is_passed_on_whole(target: Target) -> None:
    sender = Sender(target)
    for size in (40, 0, 60):
        await sender.send(size)
    assert target.bodies == []
    await sender.send(0, more=False)
    assert target.bodies == [b"x" * 100]
    target.gate.set()
    assert await done([sender]) == [None]


async def test_the_body_that_arrives_longest_is_dropped_for_the_next(target: Target) -> None:
    empty, first, second, third = (Sender(target) for _ in range(4))
    await empty.send(0)
    for sender in (first, second):
        await sender.send(100)
    await third.send(90)
    assert isinstance(first.task.exception(), OverloadedError)
    assert not second.task.done()
    assert not empty.task.done(), "it holds nothing"
    for sender in (empty, second, third):
        await sender.send(0, more=False)
    assert [len(body) for body in target.bodies] == [0, 100, 90]
    target.gate.set()
    await done([empty, second, third])


async def test_complete_bodies_are_not_dropped(target: Target) -> None:
    held = [await Sender(target).send(100, more=False) for _ in range(2)]
    refused = await Sender(target).send(60, more=False)
    assert isinstance(refused.task.exception(), OverloadedError)
    taken = await Sender(target).send(50, more=False)
    assert len(target.bodies) == 3
    target.gate.set()
    assert await done([*held, taken]) == [None] * 3
    again = [await Sender(target).send(100, more=False) for _ in range(2)]
    assert await done(again) == [None] * 2, "what ended counts no more"


async def test_given_up_refused_and_left_bodies_count_no_more(
    target: Target, monkeypatch: pytest.MonkeyPatch, loop_clock: LoopClock
) -> None:
    monkeypatch.setattr(request_bodies, "GRACE_SECONDS", 0.02)
    monkeypatch.setattr(request_bodies, "FLOOR_BYTES_PER_SECOND", 100_000)
    target.gate.set()
    left, late, large = Sender(target), Sender(target), Sender(target)
    await left.send(80)
    await left.leave()
    await late.send(80)
    await large.send(80)
    await large.send(21)
    await loop_clock.advance(0.1)
    kinds = [type(error) for error in await done([left, late, large])]
    assert kinds == [RequestTimeoutError, RequestTimeoutError, TooLargeError]
    assert target.bodies == []
    assert await done([await Sender(target).send(100, more=False) for _ in range(2)]) == [None] * 2


async def test_a_body_at_the_floor_is_given_time_and_one_below_is_not(
    target: Target, monkeypatch: pytest.MonkeyPatch, loop_clock: LoopClock
) -> None:
    monkeypatch.setattr(request_bodies, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(request_bodies, "FLOOR_BYTES_PER_SECOND", 50)
    target.gate.set()
    steady, stuck = Sender(target), Sender(target)
    await stuck.send(1)
    for _ in range(10):
        await steady.send(10)
        await loop_clock.advance(0.05)  # four times the floor
    assert isinstance(stuck.task.exception(), RequestTimeoutError)
    await steady.send(0, more=False)
    assert await done([steady]) == [None]


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"0")]])
async def test_a_request_without_a_body_is_not_waited_for(target: Target, headers: list[tuple[bytes, bytes]]) -> None:
    sender = Sender(target, {**SCOPE, "headers": headers})
    await settled()
    await sender.send(0, more=False)
    target.gate.set()
    assert await done([sender]) == [None]
