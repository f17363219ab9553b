"""A collection without events: facts that only their own service needs."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from .mongo import Collection, Document, DuplicateKeyError, Index, ReturnDocument, ensure_indexes


class Store:
    """A collection, and the indexes of its queries."""

    INDEXES: ClassVar[Sequence[Index]] = ()

    def __init__(self, collection: Collection) -> None:
        self.collection = collection

    async def ensure_indexes(self) -> None:
        """Create the indexes; idempotent."""
        await ensure_indexes(self.collection, self.INDEXES)

    async def upsert(self, document_id: str, change: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Document:
        """Change the document with this id, or insert it. Returns it after the change.

        Of concurrent calls for a new id MongoDB may let one insert it and refuse the others, which then change it.
        """
        change_or_insert = partial(
            self.collection.find_one_and_update,
            {"_id": document_id},
            change,
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        try:
            stored: Document = await change_or_insert()
        except DuplicateKeyError:
            stored = await change_or_insert()
        return stored
