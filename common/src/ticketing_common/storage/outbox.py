"""The outbox: unpublished events inside their aggregate's document.

The update that changes the aggregate also writes the entry, so neither exists without the other. An entry holds the
finished body: an event that cannot be serialised fails in the request, before anything is stored.
"""

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

from ticketing_common.entity import utc_now
from ticketing_common.events import Event
from ticketing_common.telemetry import current_traceparent, get_logger

from .mongo import ASCENDING, Collection, Document, Index, aggregate, without_majority

log = get_logger(__name__)

FIELD: Final = "outbox"
PARKED: Final = "outbox_parked"
WITHOUT_EVENTS: Final = {FIELD: 0, PARKED: 0}
"""A MongoDB projection for reading aggregates without their outbox."""
MAX_ENTRIES: Final = 1_000
"""Limit of unpublished events in one document; further changes are refused (a document holds at most 16 MB)."""
REMOVE_ENTRIES: Final = 5_000
"""About this many ids per removal: a command holds at most 16 MB too, and after an outage outboxes are full."""


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """One unpublished event; `body` is its CloudEvents JSON, `at` the time of the commit (UTC)."""

    id: str
    subject: str
    body: bytes
    at: datetime
    traceparent: str | None = None

    @classmethod
    def of(cls, event: Event) -> Self:
        """Serialise an event, with the trace of the request that caused it."""
        traceparent = event.traceparent or current_traceparent()
        if traceparent != event.traceparent:
            event = event.model_copy(update={"traceparent": traceparent})
        return cls(event.id, event.nats_subject, event.to_json(), utc_now(), traceparent)

    @classmethod
    def from_document(cls, document: Document) -> Self:
        """The stored entry as an object."""
        return cls(
            document["id"],
            document["subject"],
            document["body"].encode(),
            document["at"],
            document.get("traceparent"),
        )

    def to_document(self) -> Document:
        """The body is stored as text, so that an operator can read it in the database."""
        document: Document = {"id": self.id, "subject": self.subject, "body": self.body.decode(), "at": self.at}
        if self.traceparent:
            document["traceparent"] = self.traceparent
        return document


@dataclass(frozen=True, slots=True)
class Commit:
    """Entries just stored in one document, in version order."""

    outbox: "Outbox"
    document_id: str
    entries: tuple[OutboxEntry, ...]


@dataclass(frozen=True, slots=True)
class OutboxStats:
    """Number of waiting events, age of the oldest (seconds), and number of parked events."""

    pending: int
    oldest_seconds: float
    parked: int


class Outbox:
    """The outboxes of one collection's documents.

    Each commit calls the `listeners`, in memory; they neither wait nor fail. `Relay.notify` is one: if a notification
    is lost, the sweep finds the entry.
    """

    INDEXES: Final = (
        # Sparse: contains only documents with waiting entries, so the sweep reads almost nothing.
        Index([(f"{FIELD}.at", ASCENDING)], name="outbox_at", sparse=True),
        Index([(f"{PARKED}.at", ASCENDING)], name="outbox_parked_at", sparse=True),
    )

    def __init__(self, collection: Collection, *listeners: Callable[[Commit], None]) -> None:
        self.collection = collection
        self._listeners = listeners
        self._relaxed = without_majority(collection)

    def committed(self, document_id: str, entries: Sequence[OutboxEntry]) -> None:
        """Call the listeners, after the write was acknowledged."""
        if entries:
            commit = Commit(self, document_id, tuple(entries))
            for listener in self._listeners:
                listener(commit)

    async def pending(self, *, older_than_seconds: float, batch: int) -> AsyncGenerator[list[Commit], None]:
        """Documents with entries older than `older_than_seconds`, oldest first, in batches.

        Yields each document once, however often it changes meanwhile.
        """
        cutoff = utc_now() - timedelta(seconds=older_than_seconds)
        # One cursor in the order of the sparse index: a new query would read entries that are being published again. A
        # condition on the time itself would make MongoDB read and sort the whole backlog, because the index is on an
        # array (measured: 14 times slower).
        cursor = (
            self.collection.find({f"{FIELD}.at": {"$exists": True}}, {FIELD: 1})
            .sort(f"{FIELD}.at", ASCENDING)
            .batch_size(batch)  # otherwise the database's first answer holds only 101
        )
        try:
            while documents := await cursor.to_list(batch):
                found = [Commit(self, document["_id"], await self._readable(document)) for document in documents]
                commits = [commit for commit in found if commit.entries]
                late = [commit for commit in commits if any(entry.at < cutoff for entry in commit.entries)]
                if late:
                    yield late
                if len(late) < len(commits):
                    break  # the rest is too new, as are all that follow
        finally:
            await cursor.close()

    async def _readable(self, document: Document) -> tuple[OutboxEntry, ...]:
        """The entries of one document. Parks invalid entries, which would block the rest."""
        entries = []
        for found in document[FIELD]:
            try:
                entries.append(OutboxEntry.from_document(found))
            except (KeyError, TypeError, AttributeError) as error:
                log.error("outbox entry cannot be read, parked", document_id=document["_id"], error=repr(error))
                aside = {**found, "error": repr(error)} if isinstance(found, Mapping) else {"error": repr(found)}
                await self._park(document["_id"], found, {"at": utc_now(), **aside})
        return tuple(entries)

    async def remove(self, published: Mapping[str, Iterable[str]]) -> None:
        """Remove acknowledged entries (ids by document), many documents in one round trip.

        One update for all, because entry ids are unique: a third of the database's work of one update each (measured).
        Neither waits for a majority nor is retried: a lost removal means one duplicate event, which is harmless.
        """
        documents: list[str] = []
        entries: list[str] = []
        for document_id, ids in published.items():
            documents.append(document_id)
            entries.extend(ids)
            if len(entries) >= REMOVE_ENTRIES:
                await self._pull(documents, entries)
                documents, entries = [], []
        if documents:
            await self._pull(documents, entries)

    async def _pull(self, documents: Sequence[str], entries: Sequence[str]) -> None:
        await self._relaxed.update_many({"_id": {"$in": documents}}, {"$pull": {FIELD: {"id": {"$in": entries}}}})

    async def park(self, document_id: str, entry: OutboxEntry, error: str) -> None:
        """Park an entry that the broker will never accept, so that it does not block later entries."""
        await self._park(document_id, {"id": entry.id}, {**entry.to_document(), "error": error[:1_000]})

    async def _park(self, document_id: str, which: object, parked: Document) -> None:
        await self.collection.update_one({"_id": document_id}, {"$pull": {FIELD: which}, "$push": {PARKED: parked}})

    async def stats(self) -> OutboxStats:
        """Count waiting and parked entries, by two index scans over documents that have some."""
        rows = await aggregate(
            self.collection,
            [
                {"$match": {f"{FIELD}.at": {"$gt": datetime.fromtimestamp(0, tz=utc_now().tzinfo)}}},
                {"$project": {"count": {"$size": f"${FIELD}"}, "oldest": {"$min": f"${FIELD}.at"}}},
                {"$group": {"_id": None, "count": {"$sum": "$count"}, "oldest": {"$min": "$oldest"}}},
            ],
        )
        parked = await self.collection.count_documents({f"{PARKED}.at": {"$exists": True}})
        if not rows:
            return OutboxStats(0, 0.0, parked)
        return OutboxStats(rows[0]["count"], max(0.0, (utc_now() - rows[0]["oldest"]).total_seconds()), parked)
