"""Violations about accounts, outboxes and mail."""

from datetime import datetime, timedelta

from ticketing_common.entity import new_id, utc_now

from ..marketplace import Marketplace
from .registry import breaks


def deleted(marketplace: Marketplace, user: str, **fields: object) -> None:
    tombstone = {"email": f"deleted:{user}", "password_hash": "", "deleted_at": marketplace.long_ago, "outbox": []}
    marketplace.put("auth", "users", user, version=2, **{**tombstone, **fields})


def a_mail(marketplace: Marketplace, state: str, *, hours: float, **times: datetime) -> None:
    at = utc_now() + timedelta(hours=hours)
    fields = {"kind": "refunded", "user_id": marketplace.buyer, "attempts": 3, "give_up_at": at, **times}
    marketplace.put("auth", "mails", f"refunded:{new_id()}", state=state, **fields)


@breaks("owner_unknown")
def owner_unknown(marketplace: Marketplace) -> None:
    marketplace.remove("auth", "users", marketplace.seller)


@breaks("deleted_account_remains")
def deleted_account_remains(marketplace: Marketplace) -> None:
    deleted(marketplace, marketplace.buyer, email="still@example.com")


@breaks("listing_of_deleted_account")
def listing_of_deleted_account(marketplace: Marketplace) -> None:
    deleted(marketplace, user := new_id())
    for begun in (utc_now() + timedelta(days=1), utc_now() - timedelta(days=1)):  # the second is not on sale any more
        marketplace.ticket("available", None, user_id=user, starts_at=begun)


@breaks("outbox_stuck")
def outbox_stuck(marketplace: Marketplace) -> None:
    entry = {
        "id": new_id(),
        "subject": f"order.cancelled.{marketplace.cancelled_order}",
        "body": "{}",
        "at": marketplace.long_ago,
    }
    marketplace.change("orders", "orders", marketplace.cancelled_order, outbox=[entry])


@breaks("outbox_parked")
def outbox_parked(marketplace: Marketplace) -> None:
    entry = {
        "id": new_id(),
        "subject": f"ticket.updated.{marketplace.free_ticket}",
        "body": "{}",
        "at": marketplace.long_ago,
    }
    marketplace.change("tickets", "tickets", marketplace.free_ticket, outbox_parked=[{**entry, "error": "too large"}])


@breaks("mail_overdue")
def mail_overdue(marketplace: Marketplace) -> None:
    a_mail(marketplace, "queued", hours=-1)
    a_mail(marketplace, "queued", hours=1)  # it may still be delivered
    a_mail(marketplace, "sent", hours=-1)


@breaks("mail_given_up")
def mail_given_up(marketplace: Marketplace) -> None:
    a_mail(marketplace, "given_up", hours=-1, ended_at=utc_now() - timedelta(hours=1))
    a_mail(marketplace, "given_up", hours=-48, ended_at=utc_now() - timedelta(hours=48))  # reported in its time
