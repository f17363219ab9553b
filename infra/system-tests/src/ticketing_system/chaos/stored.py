"""The content of the databases at the end, read directly and not through the services under test."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ticketing_system.market import Market

__all__ = ["Document", "Stored", "read_stored"]

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Stored:
    """Documents by id, each as its owner keeps it."""

    accounts: Mapping[str, Document]
    tickets: Mapping[str, Document]
    orders: Mapping[str, Document]
    payments: Mapping[str, Document]


async def read_stored(market: Market) -> Stored:
    """Read all four collections; a run makes some thousands of documents."""
    owned = (("auth", "users"), ("tickets", "tickets"), ("orders", "orders"), ("payments", "payments"))
    return Stored(*[{one["_id"]: one for one in await market.documents(*name)} for name in owned])
