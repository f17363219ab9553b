"""Reads the five databases: sorted batches of only the needed fields."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Self, TypeVar

from ticketing_common.storage import ASCENDING, DatabaseClient, DatabaseError, Document, connect
from ticketing_common.topology import SERVICES

from .addresses import AuditAddresses
from .unreadable import UnreadableError

R = TypeVar("R")

BATCH: Final = 1_000


class Databases:
    """The databases by service, for reading only."""

    def __init__(self, addresses: AuditAddresses, clients: dict[str, DatabaseClient]) -> None:
        self._addresses = addresses
        self._clients = clients
        self.documents: dict[str, int] = {}
        """How many documents were read, by `service.collection`."""
        self.unreadable: dict[tuple[str, str], str] = {}
        """The error for each document without the expected fields, by `service.collection` and id."""

    @classmethod
    @asynccontextmanager
    async def connect(cls, addresses: AuditAddresses) -> AsyncIterator[Self]:
        """Connect with one client for each address, also when several services share it. Raises `UnreadableError`."""
        missing = [service for service in SERVICES if not addresses.mongo_urls.get(service)]
        if missing:
            raise UnreadableError(f"The database of {missing[0]}", "its address is missing")
        by_url: dict[str, DatabaseClient] = {}
        try:
            for service in SERVICES:
                url = addresses.mongo_urls[service]
                if url not in by_url:
                    try:
                        by_url[url] = connect(
                            url, application="ticketing-audit", pool_size=20, ca_file=addresses.ca_file
                        )
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

        In every use the order comes from an index, so the database does not sort. If that index is missing, which the
        audit may report later, MongoDB sorts on disk. A document without the expected fields is left out and recorded
        in `unreadable`.
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
        """All rows as one list, for selections that are known to be small."""
        found: list[R] = []
        async for batch in self.batches(service, collection, make, fields, where=where, limit=limit):
            found += batch
        return found


def reason(error: Exception) -> str:
    """The first part of a driver's error; the rest lists the state of every server."""
    return f"{type(error).__name__}, {str(error).partition(',')[0].partition(' (configured')[0][:160]}"
