"""Compare-and-swap over one document per aggregate, with the event inside the same write."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Generic, TypeVar

from pydantic import TypeAdapter

from ticketing_common.entity import Entity, utc_now
from ticketing_common.errors import ConcurrentUpdateError, ConflictError, NotFoundError, UnavailableError
from ticketing_common.events import Event
from ticketing_common.resilience import in_background
from ticketing_common.telemetry import get_logger
from ticketing_common.telemetry.metrics import DOCUMENTS_UNREADABLE, OUTBOX_FULL, begin

from .batches import Asked, Batcher, batched_find, batched_insert
from .mongo import (
    ASCENDING,
    Collection,
    Document,
    DuplicateKeyError,
    Index,
    UpdateOne,
    drop_indexes,
    ensure_indexes,
    write_each,
)
from .outbox import FIELD, MAX_ENTRIES, WITHOUT_EVENTS, Outbox, OutboxEntry

__all__ = ["Publisher", "Repository"]

log = get_logger(__name__)

E = TypeVar("E", bound=Entity)
Publisher = Callable[[E], Event]
"""A pure function from an aggregate, at its new version, to the event that tells of it."""

UPDATE_ATTEMPTS: Final = 8
WALK_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class _Swap:
    """One write that is done only if nobody was faster."""

    id: str
    unchanged: Document
    change: Document
    entries: Sequence[OutboxEntry]


class Repository(Generic[E]):
    """Loads and saves one kind of aggregate; subclasses add their queries and indexes.

    Every write is one atomic update of one document: state, `version` and the event entries together.
    """

    INDEXES: ClassVar[Sequence[Index]] = ()
    SUPERSEDED_INDEXES: ClassVar[Sequence[str]] = ()
    """Indexes of earlier versions, by name; dropped once those above exist."""

    def __init__(self, outbox: Outbox, entity: type[E]) -> None:
        self.outbox = outbox
        self.collection: Collection = outbox.collection
        self._entity = entity
        self._adapter: TypeAdapter[E] = TypeAdapter(entity)
        self.unreadable = 0
        """How many documents `to_entities` left out since the start."""
        begin(DOCUMENTS_UNREADABLE, (self.collection.name,))
        self._find = batched_find(self.collection, WITHOUT_EVENTS)
        self._insert = batched_insert(self.collection)
        self._swap: Batcher[_Swap, bool] = Batcher(self._swap_each, Asked.of(self.collection, "update"))

    async def ensure_indexes(self) -> None:
        """Create what the queries here need, and then drop what an earlier version needed; idempotent."""
        await ensure_indexes(self.collection, [*Outbox.INDEXES, *self.INDEXES])
        await drop_indexes(self.collection, self.SUPERSEDED_INDEXES)

    async def find(self, entity_id: str) -> E | None:
        """The aggregate, or None."""
        document = await self._find(entity_id)
        return self.to_entity(document) if document else None

    async def get(self, entity_id: str) -> E:
        """The aggregate; raises `NotFoundError`."""
        entity = await self.find(entity_id)
        if entity is None:
            raise NotFoundError(f"There is no {self._entity.__name__.lower()} {entity_id}.")
        return entity

    async def add(self, entity: E, *publishers: Publisher[E]) -> None:
        """Store a new aggregate as version 1, with its events.

        Raises the driver's `DuplicateKeyError` when a unique index says no; subclasses turn that into their own error.
        """
        entity.version += 1
        try:
            entries = [OutboxEntry.of(publish(entity)) for publish in publishers]
            document = self.to_document(entity)
            document[FIELD] = [entry.to_document() for entry in entries]
            await self._insert(document)
        except BaseException:
            entity.version -= 1
            raise
        self.outbox.committed(entity.id, entries)

    async def add_once(self, entity: E, *publishers: Publisher[E]) -> E:
        """As `add`, for an aggregate whose id was fixed before a first try that may have died on its way.

        Returns what that try has stored, as it is now, when it came so far. Raises as `add` does when it is another
        aggregate that is in the way.
        """
        try:
            await self.add(entity, *publishers)
        except (DuplicateKeyError, ConflictError):
            # Asked for by the id and not read from the error, which names whichever index the database met first.
            stored = await self.find(entity.id)
            if stored is None:
                raise
            return stored
        return entity

    async def save(self, entity: E, *publishers: Publisher[E]) -> None:
        """Store a changed aggregate with its events, if nobody changed it since it was loaded.

        Raises `ConcurrentUpdateError` when somebody did, and `UnavailableError` when so many of its events still wait
        for the broker that the document would outgrow its size.
        """
        loaded_version, loaded_at = entity.version, entity.updated_at
        try:
            swap = self._next_version(entity, publishers)
            if not await self._compare_and_swap(swap):
                if await self.collection.find_one({"_id": entity.id, "version": loaded_version}, {"_id": 1}):
                    OUTBOX_FULL.labels(self.collection.name).inc()
                    raise UnavailableError(
                        "Too many events of this item wait for the event bus.", retry_after_seconds=5
                    )
                raise ConcurrentUpdateError
        except BaseException:
            entity.version, entity.updated_at = loaded_version, loaded_at
            raise
        self.outbox.committed(entity.id, swap.entries)

    async def _compare_and_swap(self, swap: "_Swap") -> bool:
        """Whether the document was as it was loaded, and is now as it should be.

        Together with others only in the background and with an event: which of several matched is asked for by their
        events, and one that a sweep has published and removed meanwhile looks as if it had not been stored. Those who
        handle events look again and find that all is done; a person must not be told that it failed.
        """
        if swap.entries and in_background():
            return await self._swap(swap)
        result = await self.collection.update_one(swap.unchanged, swap.change)
        return result.matched_count > 0

    async def _swap_each(self, swaps: Sequence["_Swap"]) -> list[bool | Exception]:
        matched, errors = await write_each(self.collection, [UpdateOne(one.unchanged, one.change) for one in swaps])
        stored = {one.id for one in swaps}
        if matched < len(swaps):
            # The answer holds only their number. An entry's id is nobody else's, so its presence tells which they are.
            ours = {"_id": {"$in": list(stored)}, f"{FIELD}.id": {"$in": [one.entries[0].id for one in swaps]}}
            found = self.collection.find(ours, {f"{FIELD}.id": 1})
            entries = {entry["id"] async for document in found for entry in document[FIELD]}
            return [error or one.entries[0].id in entries for one, error in zip(swaps, errors, strict=True)]
        return [error or True for error in errors]

    async def save_all(self, entities: Sequence[E], publish: Publisher[E]) -> list[E]:
        """As `save`, for many in one round trip; returns those that were saved.

        What somebody else changed meanwhile is not among them, and has to be loaded again.
        """
        swaps = [self._next_version(entity, [publish]) for entity in entities]
        outcomes = await self._swap_each(swaps) if swaps else []
        saved = []
        for entity, swap, outcome in zip(entities, swaps, outcomes, strict=True):
            if outcome is True:
                self.outbox.committed(entity.id, swap.entries)
                saved.append(entity)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
        return saved

    def _next_version(self, entity: E, publishers: Sequence[Publisher[E]]) -> "_Swap":
        """Raise the version; the write that stores it if the stored one is still what was loaded."""
        unchanged = _unchanged(entity)
        entity.version += 1
        entity.updated_at = utc_now()
        entries = [OutboxEntry.of(publish(entity)) for publish in publishers]
        document = self.to_document(entity)
        del document["_id"]
        pushed = {"$each": [entry.to_document() for entry in entries]}
        return _Swap(entity.id, unchanged, {"$set": document, "$push": {FIELD: pushed}}, entries)

    async def update(self, entity_id: str, change: Callable[[E], Publisher[E] | None]) -> E:
        """Load, change, save; again from the start when the race was lost, a bounded number of times.

        `change` alters the aggregate in place and returns the publisher of the fact, or None when there is nothing to
        do: then nothing is written. It may run several times, each time on a fresh copy.

        Raises `NotFoundError`, `ConcurrentUpdateError`, and whatever `change` raises.
        """
        for _ in range(UPDATE_ATTEMPTS):
            entity = await self.get(entity_id)
            publish = change(entity)
            if publish is None:
                return entity
            try:
                await self.save(entity, publish)
            except ConcurrentUpdateError:
                continue
            return entity
        raise ConcurrentUpdateError

    async def restate(self, entity: E, publish: Publisher[E]) -> bool:
        """Tell the present state once more, at the version it has; False when that is not needed.

        For rebuilding what others know of this aggregate: whoever has it already sees an event of equal version. It is
        not needed when the aggregate has changed meanwhile, or when so many of its events wait that it may not have
        another: the newest of them tells the same.
        """
        entry = OutboxEntry.of(publish(entity))
        result = await self.collection.update_one(_unchanged(entity), {"$push": {FIELD: entry.to_document()}})
        if result.matched_count == 0:
            return False
        self.outbox.committed(entity.id, [entry])
        return True

    async def walk(self) -> AsyncIterator[E]:
        """Every aggregate, in the order of ids: also those that are made meanwhile, as their ids grow with time."""
        after = ""
        while True:
            cursor = self.collection.find({"_id": {"$gt": after}}, WITHOUT_EVENTS)
            documents = await cursor.sort("_id", ASCENDING).limit(WALK_BATCH).to_list(None)
            for entity in self.to_entities(documents):
                yield entity
            if len(documents) < WALK_BATCH:
                return
            after = documents[-1]["_id"]

    def to_entities(self, documents: Iterable[Document]) -> list[E]:
        """The aggregates of a list, for work that goes on by itself: one document that cannot be read stalls no other.

        It is logged and counted, and left out.
        """
        entities = []
        for document in documents:
            try:
                entities.append(self.to_entity(document))
            except ValueError:
                self.unreadable += 1
                DOCUMENTS_UNREADABLE.labels(self.collection.name).inc()
                log.exception(
                    "document cannot be read, left out", collection=self.collection.name, document_id=document["_id"]
                )
        return entities

    def to_document(self, entity: E) -> Document:
        """The aggregate as it is stored; enums become plain strings."""
        document: Document = self._adapter.dump_python(entity)
        document["_id"] = document.pop("id")
        return document

    def to_entity(self, document: Document) -> E:
        """The stored document as an aggregate; fields that it does not know are left out."""
        return self._adapter.validate_python({**document, "id": document["_id"]})


def _unchanged(entity: Entity) -> Document:
    """Still the document that was loaded, with room for one more event."""
    return {"_id": entity.id, "version": entity.version, f"{FIELD}.{MAX_ENTRIES - 1}": {"$exists": False}}
