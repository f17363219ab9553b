"""The bounded history of a feed, and what its connections send."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticketing_common.web.recent_events import Reader, RecentEvents
from ticketing_common.web.sse import CHUNK_BYTES, COMMENT, QUEUE_BYTES, SharedFrame, SseConnection, frame

pytestmark = pytest.mark.unit


def shared(sequence: int, size: int = 10) -> SharedFrame:
    return SharedFrame(1.0, lambda: f"{sequence};".encode().ljust(size, b"."), size=size)


def filled(count: int, *, size: int = 10, first: int = 1, keep: int = 1_000, keep_bytes: int = 2**20) -> RecentEvents:
    recent = RecentEvents(count=keep, max_bytes=keep_bytes)
    for sequence in range(first, first + count):
        recent.add(sequence, shared(sequence, size))
    return recent


def reading(recent: RecentEvents, *, after: int) -> tuple[Reader, AsyncGenerator[bytes]]:
    reader = Reader(recent, after=after, heartbeat_seconds=15)
    return reader, reader.chunks()


@given(
    sizes=st.lists(st.integers(1, 500), min_size=1, max_size=60),
    keep=st.integers(1, 30),
    keep_bytes=st.integers(1, 2_000),
)
def test_neither_bound_is_passed_and_the_newest_is_always_kept(sizes: list[int], keep: int, keep_bytes: int) -> None:
    recent = RecentEvents(count=keep, max_bytes=keep_bytes)
    for sequence, size in enumerate(sizes, 5):
        recent.add(sequence, shared(sequence, size))
        assert len(recent) <= keep
        assert recent.bytes <= max(keep_bytes, size)
        assert recent.read(sequence - 1, 1)[1] == sequence
    kept = sizes[-len(recent) :]
    assert recent.bytes == sum(kept)
    oldest = 5 + len(sizes) - len(recent)
    assert recent.reaches_back_to(oldest - 1)
    assert not recent.reaches_back_to(oldest - 2)
    assert not recent.reaches_back_to(recent.last + 1)


async def test_a_long_history_is_sent_in_small_chunks() -> None:
    recent = filled(500, size=1_000)
    _, chunks = reading(recent, after=0)
    assert await anext(chunks) == COMMENT
    seen = b""
    while seen.count(b";") < 500:
        chunk = await anext(chunks)
        assert len(chunk) < CHUNK_BYTES + 1_000
        seen += chunk
    assert [int(one.strip(b".")) for one in seen.split(b";")[:-1]] == list(range(1, 501))
    await chunks.aclose()


async def test_a_slow_reader_stores_no_event() -> None:
    recent = filled(100, size=1_000, keep=50)
    reader, chunks = reading(recent, after=60)
    await anext(chunks)
    for sequence in range(101, 300):
        recent.add(sequence, shared(sequence))
        reader.wake()
    assert not reader._waiting
    assert await anext(chunks) == frame("reset", b"{}", id=299)
    recent.add(300, shared(300))
    reader.wake()
    assert (await anext(chunks)).startswith(b"300;")
    await chunks.aclose()


async def test_a_reader_gets_reset_for_lost_events_even_if_sequences_restart() -> None:
    recent = filled(3)
    reader, chunks = reading(recent, after=3)
    await anext(chunks)
    recent.restart(0)
    for sequence in (1, 2, 3):
        recent.add(sequence, shared(sequence))
    reader.wake()
    assert await anext(chunks) == frame("reset", b"{}", id=3)
    await chunks.aclose()


async def test_a_reader_skips_a_sequence_whose_event_could_not_be_parsed() -> None:
    recent = filled(2)
    recent.add(4, shared(4))
    _, chunks = reading(recent, after=1)
    await anext(chunks)
    assert [one.strip(b".") for one in (await anext(chunks)).split(b";")[:-1]] == [b"2", b"4"]
    await chunks.aclose()


async def test_the_queue_of_a_single_aggregates_stream_is_bounded_in_bytes() -> None:
    connection = SseConnection(heartbeat_seconds=15)
    for sequence in range(10):
        connection.put(shared(sequence, QUEUE_BYTES // 4))
    assert connection.ended_as == "slow"
    sent = [len(chunk) async for chunk in connection.chunks()]
    assert sum(sent) <= QUEUE_BYTES + len(COMMENT)


async def test_a_silent_reader_is_sent_a_comment() -> None:
    reader = Reader(filled(1), after=1, heartbeat_seconds=0.01)
    chunks = reader.chunks()
    assert await anext(chunks) == COMMENT
    following = asyncio.ensure_future(anext(chunks))
    async with asyncio.timeout(10):
        while not following.done():
            reader.keep()
            await asyncio.sleep(0.005)
    assert following.result() == COMMENT
    await chunks.aclose()
