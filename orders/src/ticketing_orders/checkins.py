"""The check-ins: one document per admission, and the index that allows one per pass."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import ClassVar

from ticketing_common.storage import ASCENDING, Collection, Document, DuplicateKeyError, Index, batched_insert, reading
from ticketing_common.storage.store import Store

from .errors import PassUsedError
from .passes import Checkin


class CheckinRepository(Store):
    """Stores check-ins. They are facts that never change, and no other service needs them: no version, no outbox."""

    INDEXES: ClassVar[Sequence[Index]] = (
        # Decides which check-in of a pass is the first.
        Index([("pass_id", ASCENDING)], name="one_checkin_per_pass", unique=True),
        Index([("ticket_id", ASCENDING)], name="of_ticket"),
        Index([("order_id", ASCENDING)], name="of_order"),
    )

    def __init__(self, collection: Collection) -> None:
        super().__init__(collection)
        self._insert = batched_insert(collection)

    async def add_once(self, checkin: Checkin) -> Checkin:
        """Store the check-in; this one insert decides.

        If an earlier attempt of the same request stored it under the same id, returns that one. Raises `PassUsedError`
        when the pass has another check-in.
        """
        document: Document = asdict(checkin)
        document["_id"] = document.pop("id")
        try:
            await self._insert(document)
        except DuplicateKeyError:
            with reading(self.collection):
                first = await self.collection.find_one({"pass_id": checkin.pass_id})
            if first is None:
                raise
            if first["_id"] != checkin.id:
                raise PassUsedError(checkin.pass_id, checkin.seat, first["checked_in_at"]) from None
            return _checkin(first)
        return checkin

    async def find(self, checkin_id: str) -> Checkin | None:
        """The check-in with this id, or None."""
        with reading(self.collection):
            document = await self.collection.find_one({"_id": checkin_id})
        return _checkin(document) if document else None

    async def list_used(self, order_id: str) -> set[str]:
        """The ids of the passes of an order that were checked in."""
        with reading(self.collection):
            found = await self.collection.find({"order_id": order_id}, {"pass_id": 1}).to_list(None)
        return {document["pass_id"] for document in found}

    async def count(self, ticket_id: str) -> int:
        """How many passes of a listing were checked in."""
        with reading(self.collection):
            total: int = await self.collection.count_documents({"ticket_id": ticket_id})
        return total


def _checkin(document: Document) -> Checkin:
    return Checkin(
        id=document["_id"],
        pass_id=document["pass_id"],
        order_id=document["order_id"],
        ticket_id=document["ticket_id"],
        seat=document["seat"],
        checked_in_at=document["checked_in_at"],
    )
