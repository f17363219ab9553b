"""The content of the databases at the end, read directly and not through the services under test."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ticketing_system.market import Market

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Stored:
    """Documents by id, each as its owner keeps it."""

    accounts: Mapping[str, Document]
    tickets: Mapping[str, Document]
    orders: Mapping[str, Document]
    payments: Mapping[str, Document]
    checkins: Mapping[str, Document] = field(default_factory=dict)


async def read_stored(market: Market) -> Stored:
    """Read all five collections; a run makes some thousands of documents."""
    owned = (
        *(("auth", "users"), ("tickets", "tickets")),
        *(("orders", "orders"), ("payments", "payments"), ("orders", "checkins")),
    )
    return Stored(*[{one["_id"]: one for one in await market.documents(*name)} for name in owned])
