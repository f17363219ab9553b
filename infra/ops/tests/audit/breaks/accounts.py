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


def an_old_entry(marketplace: Marketplace, subject: str) -> dict[str, object]:
    return {"id": new_id(), "subject": subject, "body": "{}", "at": marketplace.long_ago}


@breaks("outbox_stuck")
def outbox_stuck(marketplace: Marketplace) -> None:
    order = marketplace.cancelled_order
    marketplace.change("orders", "orders", order, outbox=[an_old_entry(marketplace, f"order.cancelled.{order}")])


@breaks("outbox_parked")
def outbox_parked(marketplace: Marketplace) -> None:
    ticket = marketplace.free_ticket
    entry = {**an_old_entry(marketplace, f"ticket.updated.{ticket}"), "error": "too large"}
    marketplace.change("tickets", "tickets", ticket, outbox_parked=[entry])


@breaks("mail_overdue")
def mail_overdue(marketplace: Marketplace) -> None:
    a_mail(marketplace, "queued", hours=-1)
    a_mail(marketplace, "queued", hours=1)  # it may still be delivered
    a_mail(marketplace, "sent", hours=-1)


@breaks("mail_given_up")
def mail_given_up(marketplace: Marketplace) -> None:
    a_mail(marketplace, "given_up", hours=-1, ended_at=utc_now() - timedelta(hours=1))
    a_mail(marketplace, "given_up", hours=-48, ended_at=utc_now() - timedelta(hours=48))  # reported in its time
