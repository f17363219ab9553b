"""Checks that events leave the outboxes; reads the sparse indexes, which contain only documents with entries."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

from ticketing_common.storage import Document
from ticketing_common.topology import OUTBOXES

from .databases import Databases
from .invariants import Finding, Moment

LIMIT: Final = 1_000
"""The most documents reported for each outbox: after an hour without the bus there may be very many."""
_EPOCH: Final = datetime.fromtimestamp(0, tz=UTC)


class Waiting(NamedTuple):
    """The entries of one document, oldest first: id, subject, since when (UTC)."""

    document: str
    entries: tuple[tuple[str, str, datetime], ...]


async def outbox_findings(databases: Databases, moment: Moment) -> AsyncIterator[tuple[Finding, tuple[object, ...]]]:
    """Each finding with its evidence: the ids of the entries."""
    for service, collection in OUTBOXES:
        place = f"{service}.{collection}"
        cutoff = moment.now - moment.grace
        for found in await _read(databases, service, collection, "outbox", {"$gt": _EPOCH, "$lt": cutoff}):
            old = [entry for entry in found.entries if moment.settled(entry[2])]
            if old:
                age = (moment.now - min(at for _, _, at in old)).total_seconds()
                detail = f"{old[0][1]} has waited for {age:.0f} s, with {len(old) - 1} more of this document"
                yield (
                    Finding.of("outbox_stuck", detail, outbox=place, document=found.document, event=old[0][0]),
                    tuple(entry[0] for entry in old),
                )
        for found in await _read(databases, service, collection, "outbox_parked", {"$gt": _EPOCH}):
            for event_id, subject, _ in found.entries:
                detail = f"{subject} was refused by the bus"
                yield Finding.of("outbox_parked", detail, outbox=place, document=found.document, event=event_id), ()


async def _read(databases: Databases, service: str, collection: str, field: str, at: Document) -> list[Waiting]:
    def make(found: Document) -> Waiting:
        entries = sorted((entry["at"], entry["id"], entry["subject"]) for entry in found.get(field, ()))
        return Waiting(found["_id"], tuple((event_id, subject, since) for since, event_id, subject in entries))

    fields = (f"{field}.id", f"{field}.subject", f"{field}.at")
    return await databases.rows(service, collection, make, fields, where={f"{field}.at": at}, limit=LIMIT)
