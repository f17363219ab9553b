"""Checks of JetStream: streams, consumers, dead letters, and advisories of exhausted deliveries."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import ConsumerInfo, RawStreamMsg

from ticketing_common.delivery.advisories import Advisory
from ticketing_common.delivery.dead_letters import DeadLetter
from ticketing_common.topology import ADVISORIES, DEAD_LETTERS, DURABLES, SAFETY_NETS, STREAM_SUBJECTS
from ticketing_ops.bus import connect

from .invariants import Finding, Moment
from .unreadable import UnreadableError

LIMIT: Final = 1_000
"""How many messages are read of a stream that should be empty, the newest ones."""
_FAILURES: Final = (OSError, TimeoutError, nats.errors.Error, nats.js.errors.Error)


@asynccontextmanager
async def connected(url: str, *, ca_file: str = "") -> AsyncIterator[Client]:
    """A connection for one audit; raises `UnreadableError`."""
    try:
        client = await connect(url, name="ticketing-audit", inbox="_INBOX_audit", ca_file=ca_file)
    except (*_FAILURES, ValueError) as error:
        raise UnreadableError("NATS", f"it does not answer, {type(error).__name__}") from None
    try:
        yield client
    finally:
        await client.close()


async def bus_findings(client: Client, moment: Moment) -> AsyncIterator[tuple[Finding, tuple[object, ...]]]:
    """Each finding with its evidence; raises `UnreadableError`."""
    js = client.jetstream(timeout=10)
    try:
        there = set()
        for stream in (*STREAM_SUBJECTS, *SAFETY_NETS):
            try:
                await js.stream_info(stream)
                there.add(stream)
            except nats.js.errors.NotFoundError:
                yield Finding.of("consumer_missing", "there is no such stream", stream=stream), ()
        for stream, durable in DURABLES:
            if stream in there:
                async for found in _consumer(js, stream, durable, moment):
                    yield found
        if DEAD_LETTERS in there:
            async for message in _messages(js, DEAD_LETTERS):
                yield _dead_letter(message), ()
        if ADVISORIES in there:
            async for message in _messages(js, ADVISORIES):
                finding = _advisory(message)
                if finding is not None:
                    yield finding, ()
    except _FAILURES as error:
        raise UnreadableError("JetStream", f"{type(error).__name__}, {str(error)[:160]}") from None


async def _consumer(
    js: JetStreamContext, stream: str, durable: str, moment: Moment
) -> AsyncIterator[tuple[Finding, tuple[object, ...]]]:
    try:
        info: ConsumerInfo = await js.consumer_info(stream, durable)
    except nats.js.errors.NotFoundError:
        yield Finding.of("consumer_missing", "there is no such consumer", stream=stream, consumer=durable), ()
        return
    pending, unacknowledged = info.num_pending or 0, info.num_ack_pending or 0
    floor = info.ack_floor.stream_seq if info.ack_floor else 0
    if not pending and not unacknowledged:
        return
    since = await _oldest_after(js, stream, floor, info)
    if since is not None and moment.settled(since):
        age = (moment.now - since).total_seconds()
        detail = f"{pending} not delivered, {unacknowledged} not acknowledged; the oldest is {age:.0f} s old"
        # The evidence is the ack floor: a consumer whose floor moves between the readings is draining its backlog.
        yield Finding.of("consumer_stuck", detail, stream=stream, consumer=durable), (floor,)


async def _oldest_after(js: JetStreamContext, stream: str, floor: int, info: ConsumerInfo) -> datetime | None:
    """When the oldest message that this consumer has not acknowledged was stored (UTC)."""
    subjects = info.config.filter_subjects or [info.config.filter_subject or STREAM_SUBJECTS[stream]]
    times = []
    for subject in subjects:
        try:
            message = await js.get_msg(stream, seq=floor + 1, subject=subject, next=True)
        except nats.js.errors.NotFoundError:
            continue
        if message.time is not None:
            times.append(message.time)
    return min(times, default=None)


async def _messages(js: JetStreamContext, stream: str) -> AsyncIterator[RawStreamMsg]:
    """The newest messages of a stream, in order; raises `NotFoundError` when there is no such stream."""
    state = (await js.stream_info(stream)).state
    sequence = max(state.first_seq, state.last_seq - LIMIT + 1)
    for _ in range(min(state.messages, LIMIT)):
        try:
            message = await js.get_msg(stream, seq=sequence, subject=">", next=True)
        except nats.js.errors.NotFoundError:
            return  # removed meanwhile
        yield message
        sequence = (message.seq or sequence) + 1


def _dead_letter(message: RawStreamMsg) -> Finding:
    try:
        letter = DeadLetter.model_validate_json(message.data or b"")
    except ValueError:
        return Finding.of("dead_letter", "it cannot be read", dead_letter=str(message.seq))
    detail = f"{letter.consumer} gave up {letter.subject} after {letter.attempts}: {letter.error.splitlines()[0][:160]}"
    return Finding.of("dead_letter", detail, dead_letter=str(message.seq), consumer=letter.consumer)


def _advisory(message: RawStreamMsg) -> Finding | None:
    """None for an event that its consumer has stored as a dead letter itself, which is another invariant."""
    try:
        advisory = Advisory.model_validate_json(message.data or b"")
    except ValueError:
        return Finding.of("deliveries_exhausted", "it cannot be read", advisory=f"a{message.seq}")
    if advisory.expected:
        return None
    detail = f"event {advisory.sequence} of {advisory.stream} was given up after {advisory.deliveries} deliveries"
    return Finding.of(
        "deliveries_exhausted", detail, advisory=f"a{message.seq}", stream=advisory.stream, consumer=advisory.consumer
    )
