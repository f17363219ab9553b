"""What this service remembers of another service's aggregates: applied only if newer.

Every event carries the full state of its aggregate and its version, so one atomic upsert makes duplicates, reordering
and gaps harmless: the newest version wins, whatever the order of arrival.
"""

from collections.abc import Sequence
from typing import ClassVar, Final, Generic, TypeVar

from ticketing_common.events import EventData

from .batches import batched_find, batched_write
from .mongo import Collection, Document, DuplicateKeyError, Index, UpdateOne, drop_indexes, ensure_indexes

__all__ = ["Projection"]

D = TypeVar("D", bound=EventData)

APPLY_ATTEMPTS: Final = 5


class Projection(Generic[D]):
    """A local copy of aggregates that another service owns; subclasses add their queries and indexes."""

    INDEXES: ClassVar[Sequence[Index]] = ()
    SUPERSEDED_INDEXES: ClassVar[Sequence[str]] = ()
    """Indexes of earlier versions, by name; dropped once those above exist."""

    def __init__(self, collection: Collection, data: type[D]) -> None:
        self.collection = collection
        self._data = data
        self._find = batched_find(collection)
        self._write = batched_write(collection)

    async def ensure_indexes(self) -> None:
        """Create what the queries here need, and then drop what an earlier version needed; idempotent."""
        await ensure_indexes(self.collection, self.INDEXES)
        await drop_indexes(self.collection, self.SUPERSEDED_INDEXES)

    async def apply(self, data: D) -> D:
        """Take over `data` if it is newer than what is stored, and return what is stored then.

        Handlers derive what they must do from the returned state, not from the event: it is the newest known, also when
        the event was a duplicate or came late.
        """
        newer = UpdateOne(
            {"_id": data.id, "version": {"$lt": data.version}},
            {"$set": self.to_document(data)},
            upsert=True,
        )
        for _ in range(APPLY_ATTEMPTS):
            try:
                await self._write(newer)
            except DuplicateKeyError:
                # The filter missed and the upsert met the existing document: stored is as new, or newer.
                current = await self.find(data.id)
                if current is not None and current.version >= data.version:
                    return current
                # Two first events raced for the insert and the older one won: try again against it.
                continue
            return data
        raise RuntimeError(f"{self._data.__name__} {data.id} could not be applied in {APPLY_ATTEMPTS} attempts")

    async def find(self, aggregate_id: str) -> D | None:
        """The newest known state, or None when no event of it has come yet."""
        document = await self._find(aggregate_id)
        return self.to_data(document) if document else None

    def to_document(self, data: D) -> Document:
        """The event data as it is stored, without its id.

        A field that the event does not have stays as it is stored: during a roll-out a producer of the earlier version
        tells of a change without the fields that it does not know, and they have not changed.
        """
        return data.model_dump(exclude={"id"}, exclude_unset=True)

    def to_data(self, document: Document) -> D:
        """The stored document as event data."""
        return self._data.model_validate({**document, "id": document["_id"]})
