"""Mails that wait in the queue."""

from collections.abc import Mapping
from typing import Any

from prometheus_client import REGISTRY

from ticketing_auth.domain import User
from ticketing_auth.mail import MailKind, Mails
from ticketing_common.storage import Document

ORDER: Mapping[str, Any] = {
    "order_id": "6b0400000000000000000001",
    "ticket_id": "6b0400000000000000000002",
    "title": "The Tempest",
    "venue": None,
    "starts_at": None,
    "seats": 1,
    "total_cents": 2_550,
    "currency": "usd",
}


async def request(mails: Mails, user: User, fact: str = "an order", kind: MailKind = MailKind.HOLD_EXPIRED) -> str:
    await mails.request(kind, user_id=user.id, fact=fact, values=ORDER)
    return f"{kind}:{fact}"


async def stored(mails: Mails, mail_id: str = "hold_expired:an order") -> Document:
    found = await mails.collection.find_one({"_id": mail_id})
    assert found is not None
    return found


async def make_due(mails: Mails) -> None:
    """Let the back-off of every queued mail pass."""
    await mails.collection.update_many({"state": "queued"}, [{"$set": {"next_at": "$$NOW"}}])


def server_is_shown_as_available() -> bool:
    return REGISTRY.get_sample_value("mail_server_available") == 1
