"""Compares the promises with the stored data; pure, so that a test can try every way of breaking a promise."""

from collections import Counter
from collections.abc import Iterator

from .ledger import Charge, Hold, Ledger, Listing
from .stored import Stored

SETTLED_PAYMENTS = frozenset({"captured", "voided", "failed", "refunded"})


def broken_promises(ledger: Ledger, stored: Stored) -> list[str]:
    """Every acknowledged account, listing, order, cancellation and payment that is missing or contradicted."""
    return [
        *ledger.broken,
        *(f"account {email} is lost" for user, email in ledger.accounts.items() if user not in stored.accounts),
        *(said for listing in ledger.listings.values() for said in _of_listing(listing, stored)),
        *(said for hold in ledger.holds.values() for said in _of_hold(hold, ledger, stored)),
        *(said for charge in ledger.charges for said in _of_charge(charge, stored)),
        *_lost_checkins(ledger, stored),
        *_listed_twice(stored),
        *_sold_twice(stored),
    ]


def unsettled(stored: Stored) -> list[str]:
    """The orders and payments that are not final; there may be none at the end of a run."""
    return [
        *(f"order {key} is still created" for key, order in stored.orders.items() if order["status"] == "created"),
        *(
            f"payment {key} is still {payment['status']}"
            for key, payment in stored.payments.items()
            if payment["status"] not in SETTLED_PAYMENTS
        ),
    ]


def _of_listing(listing: Listing, stored: Stored) -> Iterator[str]:
    ticket = stored.tickets.get(listing.id)
    if ticket is None:
        yield f"ticket {listing.id} is lost"
        return
    if (ticket["user_id"], ticket["title"]) != (listing.seller_id, listing.title):
        yield f"ticket {listing.id} is not what was listed"
    if ticket["version"] < listing.version:
        yield f"ticket {listing.id} is at version {ticket['version']}, and {listing.version} was acknowledged"
    if listing.deleted and ticket["deleted_at"] is None:
        yield f"ticket {listing.id} was taken back and is {ticket['status']}"
    if not listing.deleted and not listing.in_doubt and ticket["deleted_at"] is not None:
        yield f"ticket {listing.id} is deleted, and no deletion was requested"
    if listing.off and ticket["status"] != "cancelled":
        yield f"ticket {listing.id} was called off and is {ticket['status']}"
    if ticket["status"] == "cancelled" and not listing.off_requested:
        yield f"ticket {listing.id} is called off, and its seller did not request it"


def _of_hold(hold: Hold, ledger: Ledger, stored: Stored) -> Iterator[str]:
    order = stored.orders.get(hold.id)
    if order is None:
        yield f"order {hold.id} is lost"
        return
    ticket = order["ticket"]
    shown = (hold.buyer_id, hold.ticket_id, hold.price_cents, hold.seats)
    if (order["user_id"], ticket["id"], ticket["price_cents"], tuple(order["seats"])) != shown:
        yield f"order {hold.id} is not what was acknowledged"
    if hold.cancelled and order["status"] != "cancelled":
        yield f"order {hold.id} was cancelled and is {order['status']}"
    if hold.seen_complete and order["status"] != "complete" and not ledger.may_end(hold):
        yield f"order {hold.id} was complete and is {order['status']} ({order['reason']})"
    if ledger.listings[hold.ticket_id].off and order["status"] != "cancelled":
        yield f"order {hold.id} is {order['status']}, although its event was called off"
    if hold.refunded and order["reason"] not in ("refunded", "event_cancelled"):
        yield f"order {hold.id} was refunded and is {order['status']} ({order['reason']})"


def _of_charge(charge: Charge, stored: Stored) -> Iterator[str]:
    order = stored.orders.get(charge.order_id)
    if not charge.paid:
        attempts = [payment for payment in stored.payments.values() if payment["order_id"] == charge.order_id]
        if not any(payment["status"] == "failed" for payment in attempts):
            yield f"order {charge.order_id}: a card was declined, and no attempt says so"
        return
    payment = stored.payments.get(str(charge.payment_id))
    if payment is None:
        yield f"payment {charge.payment_id} of order {charge.order_id} is lost"
        return
    match payment["status"]:
        case "captured" if order and (order["status"], order["payment_id"]) == ("complete", charge.payment_id):
            return
        case "voided" | "refunded" if order and order["status"] == "cancelled" and order["reason"]:
            return
    ended = f"{order['status']} ({order['reason']})" if order else "lost"
    yield f"payment {payment['_id']} was acknowledged and is {payment['status']}, its order {charge.order_id} {ended}"


def _lost_checkins(ledger: Ledger, stored: Stored) -> Iterator[str]:
    for pass_id, checkin_id in ledger.checkins.items():
        checkin = stored.checkins.get(checkin_id)
        if checkin is None or checkin["pass_id"] != pass_id:
            yield f"check-in {checkin_id} of pass {pass_id} is lost"
    uses = Counter(checkin["pass_id"] for checkin in stored.checkins.values())
    yield from (f"pass {pass_id} has {count} check-ins" for pass_id, count in uses.items() if count > 1)


def _listed_twice(stored: Stored) -> Iterator[str]:
    """Tickets with the same title: each title belongs to one Idempotency-Key, and one key creates one ticket."""
    titles = Counter(ticket["title"] for ticket in stored.tickets.values())
    yield from (f"{count} tickets were made under the key of {title}" for title, count in titles.items() if count > 1)


def _sold_twice(stored: Stored) -> Iterator[str]:
    bought: dict[tuple[str, int], str] = {}
    for key, order in stored.orders.items():
        for seat in order["seats"] if order["status"] == "complete" else ():
            other = bought.setdefault((order["ticket"]["id"], seat), key)
            if other != key:
                yield f"seat {seat} of ticket {order['ticket']['id']} was sold as {other} and as {key}"
