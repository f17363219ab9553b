"""The relay: publishes outbox entries after each commit, and sweeps for entries that a crash left behind."""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Sequence
from typing import Final

from ticketing_common.messaging import JetStreamPublisher, Message, NatsConnection, RefusedError, Sent
from ticketing_common.resilience import cancel_and_wait
from ticketing_common.storage import Commit, DatabaseUnavailableError, Lease, Outbox, OutboxEntry
from ticketing_common.telemetry import ProducerSpan, get_logger
from ticketing_common.telemetry.metrics import OUTBOX_OLDEST, OUTBOX_PARKED, OUTBOX_PENDING, RELAY_PUBLISHED

log = get_logger(__name__)

WINDOW: Final = 256
WINDOWS_IN_FLIGHT: Final = 4
MAX_NOTIFICATIONS: Final = 20_000
SWEEP_SECONDS: Final = 1.0
SWEEP_AGE_SECONDS: Final = 2.0
SWEEP_DOCUMENTS: Final = 500
STATS_SECONDS: Final = 5.0


class Relay:
    """Publishes at least once: an entry leaves the outbox only after the broker acknowledged it.

    Several replicas may relay at the same time: the broker drops duplicates (Nats-Msg-Id) and consumers apply only
    newer versions. A lease limits the sweep to one replica.
    """

    def __init__(self, connection: NatsConnection, *, service: str, lease: Lease) -> None:
        self._connection = connection
        self._publisher = JetStreamPublisher(connection)
        self._service = service
        self._lease = lease
        self._outboxes: list[Outbox] = []
        self._notified: deque[Commit] = deque()
        self._wakeup = asyncio.Event()
        self._in_flight = asyncio.Semaphore(WINDOWS_IN_FLIGHT)
        self._settling: set[asyncio.Task[bool]] = set()
        self._loops: list[asyncio.Task[None]] = []
        # True until the first sweep ends: entries of an earlier process are published before new ones.
        self._backlog = True
        self._started_at = 0.0
        self._first_sweep = True
        self._may_publish = asyncio.Event()
        self._stopping = False

    def watch(self, outbox: Outbox) -> None:
        """Include this outbox in the sweep."""
        self._outboxes.append(outbox)

    def notify(self, commit: Commit) -> None:
        """Publish these entries soon. Never waits and never fails: the sweep finds entries that are skipped here."""
        if self._backlog or not self._connection.connected or len(self._notified) >= MAX_NOTIFICATIONS:
            # Older events of the same aggregate may still wait; the sweep publishes them in order.
            self._backlog = True
            return
        self._notified.append(commit)
        self._wakeup.set()

    def start(self) -> None:
        """Start relaying. Call it after the connection is made."""
        self._started_at = asyncio.get_running_loop().time()
        self._may_publish.set()
        self._loops = [
            asyncio.create_task(one)
            for one in (self._publish_notified(), self._sweep_regularly(), self._measure_regularly())
        ]

    async def stop(self, seconds: float = 1.0) -> None:
        """Publish the notified commits, then stop; the next sweep finds entries that were not published in time."""
        self._stopping = True
        self._wakeup.set()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        if self._loops:
            follow, *others = self._loops
            await cancel_and_wait(*others)
            await asyncio.wait([follow], timeout=seconds)
            await cancel_and_wait(follow)
        if self._settling:
            await asyncio.wait(self._settling, timeout=max(0.0, deadline - loop.time()))
        with contextlib.suppress(TimeoutError, *DatabaseUnavailableError):
            async with asyncio.timeout(0.5):
                await self._lease.release()  # so that another replica need not wait for its expiry

    async def _publish_notified(self) -> None:
        while not (self._stopping and not self._notified):
            if not self._notified:
                self._wakeup.clear()
                await self._wakeup.wait()
                continue
            await self._may_publish.wait()
            window: list[Commit] = []
            entries = 0
            while self._notified and entries < WINDOW:
                window.append(self._notified.popleft())
                entries += len(window[-1].entries)
            await self._in_flight.acquire()
            settling = self._send(window, path="notify")
            settling.add_done_callback(lambda _: self._in_flight.release())

    def _send(self, commits: Sequence[Commit], *, path: str) -> "asyncio.Task[bool]":
        """Send all entries in order; the returned task waits for the acknowledgements and clears the outbox."""
        pairs = [(commit, entry) for commit in commits for entry in commit.entries]
        spans = [ProducerSpan(entry.subject.rpartition(".")[0], entry.id, entry.traceparent) for _, entry in pairs]
        messages = [_message(entry, span) for (_, entry), span in zip(pairs, spans, strict=True)]
        sent = self._publisher.send(messages)
        task = asyncio.create_task(self._settle(pairs, sent, spans, path))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
        return task

    async def _settle(
        self,
        pairs: Sequence[tuple[Commit, OutboxEntry]],
        sent: Sequence[Sent],
        spans: Sequence[ProducerSpan],
        path: str,
    ) -> bool:
        """Wait for the acknowledgements and remove acknowledged entries. True if all entries are published."""
        published: dict[Outbox, dict[str, list[str]]] = {}
        complete = True
        try:
            outcomes = await self._publisher.outcomes(sent)
            for (commit, entry), span, outcome in zip(pairs, spans, outcomes, strict=True):
                span.ended(outcome)
                if outcome is None:
                    published.setdefault(commit.outbox, {}).setdefault(commit.document_id, []).append(entry.id)
                elif isinstance(outcome, RefusedError):
                    log.error("event parked", subject=entry.subject, event_id=entry.id, error=str(outcome))
                    await commit.outbox.park(commit.document_id, entry, str(outcome))
                else:
                    complete = False
            for outbox, ids in published.items():
                await outbox.remove(ids)
                RELAY_PUBLISHED.labels(self._service, path).inc(sum(map(len, ids.values())))
        except DatabaseUnavailableError as error:
            log.warning("outbox not cleared, its events will be published again", error=repr(error))
            complete = False
        if not complete:
            self._backlog = True
        return complete

    async def _sweep_regularly(self) -> None:
        while not self._stopping:
            try:
                if self._connection.connected:
                    await self._sweep()
            except DatabaseUnavailableError as error:
                log.warning("sweep skipped, database unavailable", error=repr(error))
            except Exception:
                # The sweep is the last safety net: it must continue after any error.
                log.exception("sweep failed")
            await asyncio.sleep(SWEEP_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 (jitter, not a secret)

    async def _sweep(self) -> None:
        """Publish entries that a crash or an outage left, oldest first, until none are left."""
        if not await self._lease.acquire():
            # Another replica sweeps for all replicas, and our notified commits need not wait for it. But the holder may
            # be our own earlier process, just killed: publish entries older than this process now, at worst twice.
            if self._first_sweep:
                await self._sweep_all(asyncio.get_running_loop().time() - self._started_at)
            self._backlog = False
        elif self._backlog:
            await self._drain_backlog()
        else:
            # Only entries too old to be in a notified commit.
            await self._sweep_all(SWEEP_AGE_SECONDS)
        self._first_sweep = False

    async def _drain_backlog(self) -> None:
        """Publish everything that waits, then switch to notified commits, even if commits never pause.

        When little is left, new commits notify the relay again, but are published only after one more pass. That pass
        finds everything committed before, so an aggregate's older event is published before the newer one.
        """
        if not await self._sweep_all(0.0):
            return
        self._backlog = False
        self._may_publish.clear()
        try:
            if not await self._sweep_all(0.0):
                self._backlog = True
        finally:
            self._may_publish.set()

    async def _sweep_all(self, age_seconds: float) -> bool:
        """Publish older entries of every outbox. False if the broker or the lease is lost meanwhile."""
        for outbox in self._outboxes:
            if not await self._sweep_outbox(outbox, age_seconds):
                return False
        return True

    async def _sweep_outbox(self, outbox: Outbox, age_seconds: float) -> bool:
        """Publish the outbox's waiting entries. False if the broker or the lease is lost meanwhile.

        Two batches overlap: while one is acknowledged and removed, the next is read and sent. No document is in both,
        so an aggregate's events keep their order whichever batch fails.
        """
        settling: asyncio.Task[bool] | None = None
        complete = True
        async with contextlib.aclosing(outbox.pending(older_than_seconds=age_seconds, batch=SWEEP_DOCUMENTS)) as late:
            async for commits in late:
                if settling is not None and (self._stopping or not await self._lease.acquire()):
                    complete = False
                    break
                before, settling = settling, self._send(commits, path="sweep")
                complete = before is None or await before
                if not complete:
                    break
        return (settling is None or await settling) and complete

    async def _measure_regularly(self) -> None:
        """Separate from the sweep, which takes long while it drains a backlog or waits for a hanging broker."""
        loop = asyncio.get_running_loop()
        while not self._stopping:
            begun = loop.time()
            try:
                await self._measure()
            except DatabaseUnavailableError as error:
                log.debug("outboxes not counted, database unavailable", error=repr(error))
            except Exception:
                log.exception("outboxes not counted")
            # Counting a long backlog is slow: spend at most a twentieth of the time on it.
            await asyncio.sleep(max(STATS_SECONDS, 20 * (loop.time() - begun)))

    async def _measure(self) -> None:
        for outbox in self._outboxes:
            stats = await outbox.stats()
            labels = (self._service, outbox.collection.name)
            OUTBOX_PENDING.labels(*labels).set(stats.pending)
            OUTBOX_OLDEST.labels(*labels).set(stats.oldest_seconds)
            OUTBOX_PARKED.labels(*labels).set(stats.parked)


def _message(entry: OutboxEntry, span: ProducerSpan) -> Message:
    headers = {"traceparent": span.traceparent} if span.traceparent else {}
    return Message(entry.subject, entry.body, entry.id, headers)
