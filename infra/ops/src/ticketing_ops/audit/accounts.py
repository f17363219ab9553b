"""Checks of deleted accounts: nothing personal remains, and nothing of theirs is on sale."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from ticketing_common.storage import Document

from .databases import Databases
from .invariants import Finding, Moment

WITHDRAWN_WITHIN: Final = timedelta(minutes=2)
"""Tickets looks at the listings of deleted accounts again and again; this is several of its rounds."""


class _Deleted(NamedTuple):
    id: str
    has_data: bool
    deleted_at: datetime


async def account_findings(databases: Databases, moment: Moment) -> AsyncIterator[tuple[Finding, tuple[object, ...]]]:
    """Each finding with its evidence."""
    fields = ("email", "password_hash", "deleted_at")
    where: Document = {"deleted_at": {"$ne": None}}
    async for accounts in databases.batches("auth", "users", _deleted, fields, where=where):
        for account in accounts:
            if account.has_data:
                yield Finding.of("deleted_account_remains", "it has an e-mail or a password", user=account.id), ()
        before = moment.now - WITHDRAWN_WITHIN
        gone = [account.id for account in accounts if account.deleted_at < before]
        on_sale: Document = {
            "user_id": {"$in": gone},
            "status": "available",
            "updated_at": {"$lt": before},
            "starts_at": {"$not": {"$lte": moment.now}},
        }
        for ticket_id, user_id in await databases.rows("tickets", "tickets", _listing, ("user_id",), where=on_sale):
            detail = "it is on sale, and its seller has left"
            yield Finding.of("listing_of_deleted_account", detail, ticket=ticket_id, user=user_id), ()


def _deleted(found: Document) -> _Deleted:
    return _Deleted(found["_id"], "@" in found["email"] or bool(found["password_hash"]), found["deleted_at"])


def _listing(found: Document) -> tuple[str, str]:
    return found["_id"], found["user_id"]
