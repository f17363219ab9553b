"""Projections: local copies of other services' aggregates, applied only if newer.

Every event carries the full state of its aggregate and its version, so one atomic upsert makes duplicates, reordering
and gaps harmless: the newest version wins, whatever the order of arrival.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import ClassVar, Final, Generic, TypeVar
from weakref import WeakValueDictionary

from ticketing_common.errors import UnavailableError
from ticketing_common.events import EventData

from .batches import batched_find, batched_write
from .mongo import (
    Collection,
    Document,
    DuplicateKeyError,
    Index,
    UpdateOne,
    drop_indexes,
    ensure_indexes,
    write_each,
)

D = TypeVar("D", bound=EventData)

APPLY_ATTEMPTS: Final = 5
POLL_SECONDS: Final = 0.1
"""How often `wait_for` looks for an event that another replica consumed."""
BEHIND: Final = "Recent changes have not arrived yet. Nothing was changed; try again shortly."
BEHIND_RETRY_SECONDS: Final = 2


class Projection(Generic[D]):
    """A local copy of aggregates that another service owns. Subclasses add queries and indexes."""

    INDEXES: ClassVar[Sequence[Index]] = ()
    SUPERSEDED_INDEXES: ClassVar[Sequence[str]] = ()
    """Indexes of earlier versions, by name; dropped once those above exist."""

    def __init__(
        self, collection: Collection, data: type[D], is_caught_up: Callable[[], Awaitable[bool]] | None = None
    ) -> None:
        """`is_caught_up` says whether all published events are applied; None where no request waits for an event."""
        self.collection = collection
        self._data = data
        self._is_caught_up = is_caught_up
        self._find = batched_find(collection)
        self._write = batched_write(collection)
        # Only aggregates that a request waits for; an entry disappears with its last waiter.
        self._arrivals: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()

    async def ensure_indexes(self) -> None:
        """Create the indexes of these queries, then drop those of earlier versions; idempotent."""
        await ensure_indexes(self.collection, self.INDEXES)
        await drop_indexes(self.collection, self.SUPERSEDED_INDEXES)

    async def apply(self, data: D) -> D:
        """Store `data` if it is newer than the stored state, and return the state that is stored then.

        Handlers act on the returned state, not on the event: it is the newest known state, even if the event was a
        duplicate or late. Requests that wait for the aggregate (`wait_for`) continue.
        """
        stored = await self._store_if_newer(data)
        self._announce(data.id)
        return stored

    async def apply_all(self, states: Sequence[D]) -> list[D]:
        """As `apply`, for states of different aggregates, in one round trip, or a few if some are not newer."""
        outcomes = await write_each(self.collection, [self._newer(data) for data in states])
        stored: dict[str, D] = {}
        not_newer: list[D] = []
        for data, outcome in zip(states, outcomes, strict=True):
            if outcome is None:
                stored[data.id] = data
                self._announce(data.id)
            elif isinstance(outcome, DuplicateKeyError):  # the stored state is as new, or two first events raced
                not_newer.append(data)
            else:
                raise outcome
        for known in await asyncio.gather(*map(self.apply, not_newer)):
            stored[known.id] = known
        return [stored[data.id] for data in states]

    def _announce(self, aggregate_id: str) -> None:
        arrival = self._arrivals.get(aggregate_id)
        if arrival is not None:
            arrival.set()

    async def wait_for(self, aggregate_id: str, *, seconds: float) -> D | None:
        """Wait until the aggregate is known and return it; None if it is unknown after `seconds`.

        For a request that overtakes an event. The event wakes it when this replica consumes it; the slow poll finds
        what another replica consumed.

        Raises `UnavailableError` instead of returning None while events are missing here: the aggregate may exist.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        arrival = self._arrivals.setdefault(aggregate_id, asyncio.Event())
        while True:
            found = await self.find(aggregate_id)
            left = deadline - loop.time()
            if found is not None:
                return found
            if left <= 0:
                break
            with suppress(TimeoutError):
                await asyncio.wait_for(arrival.wait(), min(left, POLL_SECONDS))
        if self._is_caught_up is None:
            return None
        caught_up = await self._is_caught_up()
        found = await self.find(aggregate_id)
        if found is None and not caught_up:
            raise UnavailableError(BEHIND, retry_after_seconds=BEHIND_RETRY_SECONDS)
        return found

    async def find(self, aggregate_id: str) -> D | None:
        """The newest known state, or None if no event of the aggregate has arrived."""
        document = await self._find(aggregate_id)
        return self.to_data(document) if document else None

    def to_data(self, document: Document) -> D:
        """The stored document as event data."""
        return self._data.model_validate({**document, "id": document["_id"]})

    def _newer(self, data: D) -> UpdateOne:
        return UpdateOne(
            {"_id": data.id, "version": {"$lt": data.version}}, {"$set": self.to_document(data)}, upsert=True
        )

    async def _store_if_newer(self, data: D) -> D:
        newer = self._newer(data)
        for _ in range(APPLY_ATTEMPTS):
            try:
                await self._write(newer)
            except DuplicateKeyError:
                # The filter did not match and the upsert found the document: the stored state is as new, or newer.
                current = await self.find(data.id)
                if current is not None and current.version >= data.version:
                    return current
                # Two first events raced for the insert and the older one won: try again.
                continue
            return data
        raise RuntimeError(f"{self._data.__name__} {data.id} could not be applied in {APPLY_ATTEMPTS} attempts")

    def to_document(self, data: D) -> Document:
        """The event data as it is stored, without its id.

        A field that the event lacks keeps its stored value: during a roll-out a producer of the earlier version
        publishes a change without the fields that it does not know, and those have not changed.
        """
        return data.model_dump(exclude={"id"}, exclude_unset=True)
