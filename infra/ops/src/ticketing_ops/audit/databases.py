"""Reads the five databases: sorted batches of the few fields that are needed."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Self, TypeVar

from ticketing_common.storage import ASCENDING, DatabaseClient, DatabaseError, Document, connect
from ticketing_common.topology import SERVICES

from .addresses import AuditAddresses
from .unreadable import UnreadableError

__all__ = ["Databases"]

R = TypeVar("R")

BATCH: Final = 1_000


class Databases:
    """The databases by service; nothing is ever written to them."""

    def __init__(self, addresses: AuditAddresses, clients: dict[str, DatabaseClient]) -> None:
        self._addresses = addresses
        self._clients = clients
        self.documents: dict[str, int] = {}
        """How many were read, by `service.collection`."""
        self.unreadable: dict[tuple[str, str], str] = {}
        """What is wrong with the documents that are not as expected, by `service.collection` and id."""

    @classmethod
    @asynccontextmanager
    async def connect(cls, addresses: AuditAddresses) -> AsyncIterator[Self]:
        """One client for each address, however many services share it."""
        missing = [service for service in SERVICES if not addresses.mongo_urls.get(service)]
        if missing:
            raise UnreadableError(f"The database of {missing[0]}", "its address is missing")
        by_url: dict[str, DatabaseClient] = {}
        try:
            for service in SERVICES:
                url = addresses.mongo_urls[service]
                if url not in by_url:
                    try:
                        by_url[url] = connect(url, application="ticketing-audit", pool_size=20)
                    except (DatabaseError, ValueError) as error:
                        raise UnreadableError(f"The database of {service}", f"its address is wrong: {error}") from None
            clients = {service: by_url[addresses.mongo_urls[service]] for service in SERVICES}
            yield cls(addresses, clients)
        finally:
            for client in by_url.values():
                client.close()

    async def batches(
        self,
        service: str,
        collection: str,
        make: Callable[[Document], R],
        fields: Sequence[str],
        *,
        where: Document | None = None,
        by: Sequence[str] = ("_id",),
        limit: int = 0,
    ) -> AsyncIterator[list[R]]:
        """The documents that `where` selects, in the order of `by`: as rows, a thousand at a time.

        The order comes from an index in every use here, so the database streams instead of sorting. Should that index
        be gone, which an audit may just be about to find out, MongoDB sorts on disk. A document that is not as
        expected is left out and kept in `unreadable`.
        """
        place = f"{service}.{collection}"
        cursor = (
            self._clients[service][self._addresses.database(service)][collection]
            .find(where or {}, dict.fromkeys(fields, 1), limit=limit, batch_size=BATCH)
            .sort([(field, ASCENDING) for field in by])
            .allow_disk_use(True)
        )
        try:
            while True:
                try:
                    documents = await cursor.to_list(BATCH)
                except DatabaseError as error:
                    raise UnreadableError(f"The database of {service}", reason(error)) from None
                if not documents:
                    return
                self.documents[place] = self.documents.get(place, 0) + len(documents)
                rows = [self._made(place, make, document) for document in documents]
                yield [row for row in rows if row is not None]
        finally:
            await cursor.close()

    def _made(self, place: str, make: Callable[[Document], R], document: dict[str, Any]) -> R | None:
        try:
            return make(document)
        except (KeyError, TypeError, AttributeError) as error:
            self.unreadable[place, str(document["_id"])] = repr(error)
            return None

    async def rows(
        self,
        service: str,
        collection: str,
        make: Callable[[Document], R],
        fields: Sequence[str],
        *,
        where: Document,
        limit: int = 0,
    ) -> list[R]:
        """All at once, for selections that are known to be small."""
        found: list[R] = []
        async for batch in self.batches(service, collection, make, fields, where=where, limit=limit):
            found += batch
        return found


def reason(error: Exception) -> str:
    """The first sentence of a driver's error; the rest of it lists every server with its whole state."""
    return f"{type(error).__name__}, {str(error).partition(',')[0].partition(' (configured')[0][:160]}"
