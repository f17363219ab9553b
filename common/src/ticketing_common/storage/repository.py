"""Repositories: compare-and-swap on one document per aggregate, with its event in the same write."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Generic, TypeVar

from pydantic import TypeAdapter

from ticketing_common.batching import Batcher
from ticketing_common.entity import Entity, utc_now
from ticketing_common.errors import ConcurrentUpdateError, ConflictError, NotFoundError, UnavailableError
from ticketing_common.events import Event
from ticketing_common.resilience import with_pauses
from ticketing_common.telemetry import get_logger
from ticketing_common.telemetry.metrics import DOCUMENTS_UNREADABLE, OUTBOX_FULL, init_series

from .batches import batched, batched_find, batched_insert
from .mongo import (
    ASCENDING,
    Collection,
    Document,
    DuplicateKeyError,
    Index,
    drop_indexes,
    ensure_indexes,
    swap_each,
)
from .outbox import FIELD, MAX_ENTRIES, WITHOUT_EVENTS, Outbox, OutboxEntry

log = get_logger(__name__)

E = TypeVar("E", bound=Entity)
Publisher = Callable[[E], Event]
"""A pure function from an aggregate, at its new version, to the event that describes it."""

UPDATE_ATTEMPTS: Final = 8
WALK_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class _Swap:
    """One write that succeeds only if the document is unchanged since it was loaded."""

    unchanged: Document
    change: Document
    entries: Sequence[OutboxEntry]


class Repository(Generic[E]):
    """Loads and saves one kind of aggregate. Subclasses add queries and indexes.

    Every write is one atomic update of one document: state, `version` and outbox entries together.
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
        """Number of documents that `to_entities` has skipped since the start."""
        init_series(DOCUMENTS_UNREADABLE, (self.collection.name,))
        self._find = batched_find(self.collection, WITHOUT_EVENTS)
        self._insert = batched_insert(self.collection)
        self._swap: Batcher[_Swap, bool] = batched(self.collection, "update", self._swap_each)

    async def ensure_indexes(self) -> None:
        """Create the indexes of these queries, then drop those of earlier versions; idempotent."""
        await ensure_indexes(self.collection, [*Outbox.INDEXES, *self.INDEXES])
        await drop_indexes(self.collection, self.SUPERSEDED_INDEXES)

    async def find(self, entity_id: str) -> E | None:
        """The aggregate, or None."""
        document = await self._find(entity_id)
        return self.to_entity(document) if document else None

    async def find_all(self, entity_ids: Sequence[str]) -> dict[str, E]:
        """Those of these aggregates that exist, by id, in one round trip."""
        cursor = self.collection.find({"_id": {"$in": list(entity_ids)}}, WITHOUT_EVENTS)
        return {document["_id"]: self.to_entity(document) async for document in with_pauses(await cursor.to_list(None))}

    async def get(self, entity_id: str) -> E:
        """The aggregate; raises `NotFoundError`."""
        entity = await self.find(entity_id)
        if entity is None:
            raise NotFoundError(f"There is no {self._entity.__name__.lower()} {entity_id}.")
        return entity

    async def add(self, entity: E, *publishers: Publisher[E]) -> None:
        """Store a new aggregate as version 1, with its events.

        Raises the driver's `DuplicateKeyError` for a unique index; subclasses convert it into their own error.
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
        """As `add`, for an aggregate whose id was fixed before an earlier attempt that may have died.

        If that attempt stored the aggregate, returns it in its current state. Raises as `add` does if another aggregate
        causes the conflict.
        """
        try:
            await self.add(entity, *publishers)
        except (DuplicateKeyError, ConflictError):
            # Look up the id instead of reading the error, which names only the first index that the database checked.
            stored = await self.find(entity.id)
            if stored is None:
                raise
            return stored
        return entity

    async def save(self, entity: E, *publishers: Publisher[E]) -> None:
        """Store a changed aggregate with its events, if it is unchanged since it was loaded.

        Raises `ConcurrentUpdateError` if it was changed, and `UnavailableError` if its outbox is full.
        """
        loaded_version, loaded_at = entity.version, entity.updated_at
        try:
            swap = self._next_version(entity, publishers)
            if not await self._swap(swap):
                await self._check_not_full([entity.id])
                raise ConcurrentUpdateError
        except BaseException:
            entity.version, entity.updated_at = loaded_version, loaded_at
            raise
        self.outbox.committed(entity.id, swap.entries)

    async def _swap_each(self, swaps: Sequence["_Swap"]) -> list[bool | Exception]:
        return await swap_each(self.collection, [(one.unchanged, one.change) for one in swaps])

    async def save_all(self, entities: Sequence[E], publish: Publisher[E]) -> list[E]:
        """As `save`, for many in one round trip. Returns the saved ones.

        An aggregate that was changed meanwhile is not saved, and has to be loaded again. Raises `UnavailableError` if
        the outbox of one is full, after the others were saved.
        """
        swaps = [self._next_version(entity, [publish]) async for entity in with_pauses(entities)]
        outcomes = await self._swap_each(swaps) if swaps else []
        saved = []
        for entity, swap, outcome in zip(entities, swaps, outcomes, strict=True):
            if outcome is True:
                self.outbox.committed(entity.id, swap.entries)
                saved.append(entity)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
        if len(saved) < len(entities):
            await self._check_not_full([one.id for one, outcome in zip(entities, outcomes, strict=True) if not outcome])
        return saved

    async def _check_not_full(self, entity_ids: Sequence[str]) -> None:
        full: Document = {"_id": {"$in": list(entity_ids)}, f"{FIELD}.{MAX_ENTRIES - 1}": {"$exists": True}}
        if await self.collection.find_one(full, {"_id": 1}):
            OUTBOX_FULL.labels(self.collection.name).inc()
            raise UnavailableError("Too many events of this item wait for the event bus.", retry_after_seconds=5)

    def _next_version(self, entity: E, publishers: Sequence[Publisher[E]]) -> "_Swap":
        """Increment the version, and return the write that stores it if the document is unchanged."""
        unchanged = _unchanged(entity)
        entity.version += 1
        entity.updated_at = utc_now()
        entries = [OutboxEntry.of(publish(entity)) for publish in publishers]
        document = self.to_document(entity)
        del document["_id"]
        pushed = {"$each": [entry.to_document() for entry in entries]}
        return _Swap(unchanged, {"$set": document, "$push": {FIELD: pushed}}, entries)

    async def update(self, entity_id: str, change: Callable[[E], Publisher[E] | None]) -> E:
        """Load, change, save; repeated after a lost race, up to `UPDATE_ATTEMPTS` times.

        `change` modifies the aggregate in place and returns the publisher of the event, or None if nothing changes:
        then nothing is written. It may run several times, each time on a fresh copy.

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

    async def republish(self, entity: E, publish: Publisher[E]) -> bool:
        """Republish the current state with its current version; False if that is not necessary.

        For rebuilding projections; a projection that is up to date ignores an event of equal version. Not necessary if
        the aggregate has changed meanwhile, or if its outbox is full: the newest waiting event has the same state.
        """
        entry = OutboxEntry.of(publish(entity))
        result = await self.collection.update_one(_unchanged(entity), {"$push": {FIELD: entry.to_document()}})
        if result.matched_count == 0:
            return False
        self.outbox.committed(entity.id, [entry])
        return True

    async def walk(self) -> AsyncIterator[E]:
        """Every aggregate in the order of ids, including new ones, because ids grow with time."""
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
        """The aggregates of a list of documents, for background work. Skips documents that cannot be read, so that they
        do not stall the others; logs and counts each.
        """
        entities = []
        for document in documents:
            try:
                entities.append(self.to_entity(document))
            except ValueError:
                self.unreadable += 1
                DOCUMENTS_UNREADABLE.labels(self.collection.name).inc()
                log.exception(
                    "document cannot be read, skipped", collection=self.collection.name, document_id=document["_id"]
                )
        return entities

    def to_document(self, entity: E) -> Document:
        """The aggregate as a document; enums become strings."""
        document: Document = self._adapter.dump_python(entity)
        document["_id"] = document.pop("id")
        return document

    def to_entity(self, document: Document) -> E:
        """The stored document as an aggregate; ignores unknown fields."""
        return self._adapter.validate_python({**document, "id": document["_id"]})


def _unchanged(entity: Entity) -> Document:
    """A filter: the document as it was loaded, with space for one more event."""
    return {"_id": entity.id, "version": entity.version, f"{FIELD}.{MAX_ENTRIES - 1}": {"$exists": False}}
