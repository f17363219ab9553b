"""What the databases hold in the end, read directly and not through the services that are on trial."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ticketing_common.storage import connect

__all__ = ["Document", "Stored", "read_stored"]

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Stored:
    """Documents by id, each as its owner keeps it."""

    accounts: Mapping[str, Document]
    tickets: Mapping[str, Document]
    orders: Mapping[str, Document]
    payments: Mapping[str, Document]


async def read_stored(mongo_url: str) -> Stored:
    """Read all four collections; a run makes some thousands of documents."""
    client = connect(mongo_url, application="ticketing-chaos", pool_size=4)
    try:
        found = [
            {document["_id"]: document async for document in client[database][collection].find({}, {"outbox": 0})}
            for database, collection in (
                ("auth", "users"),
                ("tickets", "tickets"),
                ("orders", "orders"),
                ("payments", "payments"),
            )
        ]
    finally:
        client.close()
    return Stored(*found)
