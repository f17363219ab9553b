"""Every query of the tickets database: the tickets, and the projection of their orders."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Final

from ticketing_common.entity import utc_now
from ticketing_common.events import OrderData, OrderStatus, TicketStatus
from ticketing_common.storage import (
    ASCENDING,
    DESCENDING,
    WITHOUT_EVENTS,
    Collection,
    Document,
    Index,
    Outbox,
    Projection,
    Repository,
    aggregate,
    batched_lists,
    reading,
)
from ticketing_common.web.pagination import CursorValue, Page, PageRequest, instant_key, number_key

from .domain import LISTED, Taken, Ticket, TicketSearch, TicketSort, taken_by, words_of
from .errors import TicketNotFoundError

_ORDERINGS: Final[Mapping[TicketSort, tuple[str, int]]] = {
    TicketSort.NEWEST: ("created_at", DESCENDING),
    TicketSort.OLDEST: ("created_at", ASCENDING),
    TicketSort.PRICE: ("price_cents", ASCENDING),
    TicketSort.PRICE_FALLING: ("price_cents", DESCENDING),
    TicketSort.STARTS_AT: ("starts_at", ASCENDING),
    TicketSort.STARTS_AT_FALLING: ("starts_at", DESCENDING),
}
_ORDERING_INDEXES: Final = {
    "created_at": "status_created_at_starts_at",
    "price_cents": "status_price_starts_at",
    "starts_at": "status_starts_at",
}
_COUNTS: Final = "ticket_status_seat_count"
_ACTIVE: Final[Document] = {"$in": [OrderStatus.CREATED.value, OrderStatus.COMPLETE.value]}
_NULLABLE: Final = frozenset({"starts_at"})
_WITH_TEXTS: Final[Document] = {"status": TicketStatus.DELETED.value, "title": {"$gt": ""}}
_UNSHOWN: Final = {**WITHOUT_EVENTS, "words": 0}
_KEYS: Final[Mapping[str, Callable[[CursorValue], datetime | int | None]]] = {
    "created_at": instant_key,
    "price_cents": number_key,
    "starts_at": lambda value: None if value is None else instant_key(value),
}
"""Reads the sort key from a cursor, by field."""


class TicketRepository(Repository[Ticket]):
    """Tickets, each stored with its words for the search.

    A search for words is a range scan of `status_words` for one of them: an anchored expression has index bounds.
    MongoDB's own text index has none for the beginning of a word: it stores whole stems only, and stems by language,
    but a venue's name has no language. The planner compares this index with the index of the sort order, which finds
    frequent words sooner.
    """

    INDEXES: ClassVar[Sequence[Index]] = (
        # Each is read in both directions; `_id` breaks ties. With `starts_at` as the last key, the first two show
        # without the document that an event has begun, so an ended listing costs one key.
        Index([("status", 1), ("created_at", 1), ("_id", 1), ("starts_at", 1)], name="status_created_at_starts_at"),
        Index([("status", 1), ("price_cents", 1), ("_id", 1), ("starts_at", 1)], name="status_price_starts_at"),
        Index([("status", 1), ("starts_at", 1), ("_id", 1)], name="status_starts_at"),
        Index([("status", 1), ("words", 1)], name="status_words"),
        Index([("user_id", 1), ("status", 1), ("created_at", 1), ("_id", 1)], name="seller_created_at"),
        # Only tombstones that still have their texts.
        Index([("deleted_at", 1)], name="deleted_with_texts", partialFilterExpression=_WITH_TEXTS),
    )

    def __init__(self, outbox: Outbox) -> None:
        super().__init__(outbox, Ticket)

    async def get(self, entity_id: str) -> Ticket:
        """A ticket that is not deleted; raises `TicketNotFoundError`. `find` gives tombstones too."""
        ticket = await self.find(entity_id)
        if ticket is None or ticket.status is TicketStatus.DELETED:
            raise TicketNotFoundError(entity_id)
        return ticket

    async def list_matching(self, search: TicketSearch, page: PageRequest) -> Page[Ticket]:
        """A page of the listings that match, in order. Raises `InvalidInputError` for an invalid cursor."""
        if search.words == ():
            return Page([])
        field, direction = _ORDERINGS[search.sort]
        unbegun = {"starts_at": {"$not": {"$lte": utc_now()}}} if search.unbegun else {}
        return await self._walk(_selection(search), field, direction, page, unbegun)

    async def list_of_seller(self, seller_id: str, page: PageRequest) -> Page[Ticket]:
        """A page of this seller's listings, newest first. Raises `InvalidInputError` for an invalid cursor."""
        selection: Document = {"user_id": seller_id, "status": _one_of(LISTED)}
        return await self._walk(selection, "created_at", DESCENDING, page)

    async def list_offered_ids(self, seller_id: str, *, after: str, limit: int) -> list[str]:
        """Ids above `after` of this seller's listings that are not withdrawn, in order.

        Also of those that are on sale all the same: a replica of the version before ignores `withdrawn`.
        """
        sellable = _one_of((TicketStatus.AVAILABLE, TicketStatus.HELD, TicketStatus.SOLD))
        offered = [{"withdrawn": {"$ne": True}}, {"status": TicketStatus.AVAILABLE.value}]
        query: Document = {"user_id": seller_id, "status": sellable, "_id": {"$gt": after}, "$or": offered}
        cursor = self.collection.find(query, {"_id": 1}).sort("_id", ASCENDING).limit(limit)
        return [document["_id"] async for document in cursor]

    async def list_deleted_with_texts(self, *, before: datetime, limit: int) -> list[Ticket]:
        """Listings that were deleted before `before` (UTC) and still have their texts, the oldest first."""
        query: Document = {**_WITH_TEXTS, "deleted_at": {"$lt": before}}
        cursor = self.collection.find(query, _UNSHOWN).sort("deleted_at", ASCENDING).limit(limit)
        return self.to_entities(await cursor.to_list(None))

    def to_document(self, entity: Ticket) -> Document:
        """The ticket as stored, with its words."""
        return super().to_document(entity) | {"words": words_of(f"{entity.title} {entity.venue or ''}")}

    def to_entity(self, document: Document) -> Ticket:
        """The ticket as it is stored.

        With one seat the status decides whether it is taken: documents of the earlier version have no counts, and
        replicas of that version do not update the counts of a document.
        """
        if document.get("quantity", 1) == 1:
            status = document["status"]
            counts = {"held": int(status == TicketStatus.HELD), "sold": int(status == TicketStatus.SOLD)}
            document = {**document, **counts}
        return super().to_entity(document)

    async def _walk(
        self,
        selection: Document,
        field: str,
        direction: int,
        page: PageRequest,
        filtered: Mapping[str, Document] | None = None,
    ) -> Page[Ticket]:
        """Read what comes after the cursor, one key range after the other, until there is one more than a page holds.

        `filtered` is a condition that every index of an ordering can check with its keys alone.
        """
        documents: list[Document] = []
        hint = _index_for(selection, field)
        for stretch, keys in _key_ranges(field, direction, page.position(_KEYS[field])):
            wanted = page.limit + 1 - len(documents)
            if wanted == 0:
                break
            found = self.collection.find({"$and": [selection, stretch, filtered or {}]}, _UNSHOWN, hint=hint)
            found = found.sort([(key, direction) for key in keys]).limit(wanted)
            with reading(self.collection):
                documents += await found.to_list(wanted)
        tickets = [self.to_entity(document) for document in documents]
        return Page.cut(tickets, page.limit, lambda last: (getattr(last, field), last.id))


class OrderProjection(Projection[OrderData]):
    """The projection of the orders, each stored with the number of its seats.

    The counts of a listing are sums over the keys of one index, without reading a document: 20,000 orders in 15 ms.
    Documents of earlier versions have no number and count as one seat.
    """

    INDEXES: ClassVar[Sequence[Index]] = (Index([("ticket.id", 1), ("status", 1), ("seat_count", 1)], name=_COUNTS),)
    SUPERSEDED_INDEXES: ClassVar[Sequence[str]] = ("ticket_status",)

    def __init__(self, collection: Collection) -> None:
        super().__init__(collection, OrderData)
        self._active = batched_lists(collection, "ticket.id", {"status": _ACTIVE})

    async def list_active(self, ticket_id: str) -> list[OrderData]:
        """The orders that hold or have bought seats of this ticket, according to the projection."""
        return [self.to_data(document) for document in await self._active(ticket_id)]

    async def taken(self, ticket: Ticket) -> Taken:
        """How many seats of this listing are held and sold, according to the projection."""
        if ticket.highest_seat == 1:
            return taken_by(await self.list_active(ticket.id))
        pipeline: list[Document] = [
            {"$match": {"ticket.id": ticket.id, "status": _ACTIVE}},
            {"$group": {"_id": "$status", "seats": {"$sum": {"$ifNull": ["$seat_count", 1]}}}},
        ]
        counted = await aggregate(self.collection, pipeline, hint=_COUNTS)
        seats = {one["_id"]: one["seats"] for one in counted}
        from_before = 0
        if sum(seats.values()) > ticket.quantity < ticket.highest_seat:
            active = await self.list_active(ticket.id)
            from_before = sum(len(order.seats) for order in active if order.ticket.quantity > ticket.quantity)
        unpaid = {}
        if ticket.deleted_at is not None:
            active = await self.list_active(ticket.id)
            unpaid = {order.id: order.version for order in active if order.status is OrderStatus.CREATED}
        return Taken(
            held=seats.get(OrderStatus.CREATED.value, 0),
            sold=seats.get(OrderStatus.COMPLETE.value, 0),
            from_before=from_before,
            unpaid=unpaid,
        )

    def to_document(self, data: OrderData) -> Document:
        """The order as stored, with the number of its seats if the event has them."""
        document = super().to_document(data)
        return document | {"seat_count": len(data.seats)} if "seats" in document else document


def _one_of(statuses: Sequence[TicketStatus]) -> Document | str:
    return {"$in": [status.value for status in statuses]} if len(statuses) > 1 else statuses[0].value


def _selection(search: TicketSearch) -> Document:
    selection: Document = {"status": _one_of(search.statuses)}
    for field, lowest, highest in (
        ("price_cents", search.min_price_cents, search.max_price_cents),
        ("starts_at", search.starts_from, search.starts_to),
    ):
        bounds = {"$gte": lowest, "$lte": highest}
        bounds = {operator: value for operator, value in bounds.items() if value is not None}
        if bounds:
            selection[field] = bounds
    if search.words:
        # Folded words are letters and digits only: they contain no special characters of an expression.
        selection["$and"] = [{"words": {"$regex": f"^{word}"}} for word in search.words]
    return selection


def _index_for(selection: Document, field: str) -> str | None:
    """The index whose keys are exactly this query's; None where the index of a further condition may be better.

    Without a hint the planner tries the candidates against each other. On a busy server it chose one that read ten
    times as many keys (measured).
    """
    if selection.keys() - {"user_id", "status", field}:
        return None
    return "seller_created_at" if "user_id" in selection else _ORDERING_INDEXES[field]


def _key_ranges(
    field: str, direction: int, after: tuple[datetime | int | None, str] | None
) -> list[tuple[Document, Sequence[str]]]:
    """The rest of an ordering as conditions and sort keys, to be read one after the other; each one range of its index.

    They are disjoint, and together they are exactly what comes after the cursor. As one `$or` their speed would depend
    on the planner's choice. No comparison in MongoDB crosses from dates to nulls (`$gt` compares within a type), so
    the tickets without a date, last in both directions, are a range of their own. A range with one value sorts only by
    the tie-break: with both keys, the planner does not merge the scans of several statuses (measured).
    """
    both, tie_break = (field, "_id"), ("_id",)
    undated: list[tuple[Document, Sequence[str]]] = [({field: None}, tie_break)] if field in _NULLABLE else []
    if after is None:
        return [({field: {"$ne": None}}, both), *undated] if undated else [({}, both)]
    value, last_id = after
    beyond = "$gt" if direction == ASCENDING else "$lt"
    ties: tuple[Document, Sequence[str]] = ({field: value, "_id": {beyond: last_id}}, tie_break)
    return [ties] if value is None else [ties, ({field: {beyond: value}}, both), *undated]
