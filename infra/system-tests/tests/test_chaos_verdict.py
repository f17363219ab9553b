"""The checks of a run report each way of breaking a promise, done by hand."""

from collections.abc import Callable
from typing import Any

import pytest

from ticketing_system.chaos.ledger import Charge, Hold, Ledger, Listing
from ticketing_system.chaos.stored import Stored
from ticketing_system.chaos.verdict import broken_promises, unsettled

pytestmark = pytest.mark.unit


def promised() -> Ledger:
    """A sold ticket, a deleted one, a cancelled order, and a decline before the sale."""
    ledger = Ledger(accounts={"seller": "seller@example.com", "buyer": "buyer@example.com"})
    ledger.list_ticket(Listing("sold", "seller", "A night", 1_000, version=2))
    ledger.list_ticket(Listing("back", "seller", "Another", 2_000, version=1, deleted=True))
    ledger.place(Hold("bought", "buyer", "sold", 1_000, seen_complete=True))
    ledger.place(Hold("ended", "buyer", "back", 2_000, cancelled=True))
    ledger.charge(Charge("bought", None, paid=False))
    ledger.charge(Charge("bought", "second", paid=True))
    ledger.charge(Charge("ended", "returned", paid=True))
    ledger.list_ticket(Listing("off", "seller", "A third", 3_000, version=1, off_requested=True, off=True))
    ledger.place(Hold("called off", "buyer", "off", 3_000, seen_complete=True))
    ledger.place(
        Hold("given back", "buyer", "sold", 1_000, (2,), seen_complete=True, refund_requested=True, refunded=True)
    )
    ledger.admit("pass", "checkin")
    return ledger


def kept() -> Stored:
    """Stored data that agrees with `promised`."""

    def ticket(title: str, version: int, status: str, *, deleted: bool = False) -> dict[str, Any]:
        stated = {"user_id": "seller", "title": title, "version": version, "status": status}
        return {**stated, "deleted_at": "a time" if deleted else None}

    def order(ticket_id: str, cents: int, status: str, reason: str | None, payment: str | None) -> dict[str, Any]:
        shown = {"id": ticket_id, "price_cents": cents}
        stated = {"user_id": "buyer", "ticket": shown, "seats": [1], "status": status}
        return {**stated, "reason": reason, "payment_id": payment}

    return Stored(
        accounts={"seller": {}, "buyer": {}},
        tickets={
            "sold": ticket("A night", 4, "sold"),
            "back": ticket("Another", 2, "deleted", deleted=True),
            "off": ticket("A third", 2, "cancelled"),
        },
        orders={
            "bought": order("sold", 1_000, "complete", None, "second"),
            "ended": order("back", 2_000, "cancelled", "buyer", None),
            "called off": order("off", 3_000, "cancelled", "event_cancelled", "third"),
            "given back": {**order("sold", 1_000, "cancelled", "refunded", "fourth"), "seats": [2]},
        },
        payments={
            "first": {"_id": "first", "order_id": "bought", "status": "failed"},
            "second": {"_id": "second", "order_id": "bought", "status": "captured"},
            "returned": {"_id": "returned", "order_id": "ended", "status": "voided"},
        },
        checkins={"checkin": {"_id": "checkin", "pass_id": "pass"}},
    )


def test_kept_promises_are_no_finding() -> None:
    assert broken_promises(promised(), kept()) == []
    assert unsettled(kept()) == []


BREAKAGES: dict[str, tuple[Callable[[Any], object], str]] = {
    "an account": (lambda s: s.accounts.pop("buyer"), "account buyer@example.com is lost"),
    "a listing": (lambda s: s.tickets.pop("sold"), "ticket sold is lost"),
    "an older listing": (lambda s: s.tickets["sold"].update(version=1), "is at version 1, and 2 was acknowledged"),
    "another seller": (lambda s: s.tickets["sold"].update(user_id="buyer"), "is not what was listed"),
    "a deletion undone": (lambda s: s.tickets["back"].update(deleted_at=None), "was taken back"),
    "a deletion without a request": (lambda s: s.tickets["sold"].update(deleted_at="now"), "no deletion was requested"),
    "an order": (lambda s: s.orders.pop("bought"), "order bought is lost"),
    "another price": (lambda s: s.orders["bought"]["ticket"].update(price_cents=9), "is not what was acknowledged"),
    "another seat": (lambda s: s.orders["bought"].update(seats=[2]), "is not what was acknowledged"),
    "a cancellation": (lambda s: s.orders["ended"].update(status="created"), "was cancelled and is created"),
    "a completion": (
        lambda s: s.orders["bought"].update(status="cancelled", reason="expired"),
        "was complete and is cancelled (expired)",
    ),
    "a payment": (lambda s: s.payments.pop("second"), "payment second of order bought is lost"),
    "a capture": (lambda s: s.payments["second"].update(status="authorized"), "was acknowledged and is authorized"),
    "money for nothing": (
        lambda s: s.payments["returned"].update(status="captured"),
        "payment returned was acknowledged and is captured, its order ended cancelled (buyer)",
    ),
    "a ticket for nothing": (
        lambda s: s.payments["second"].update(status="voided"),
        "payment second was acknowledged and is voided, its order bought complete",
    ),
    "a decline": (lambda s: s.payments["first"].update(status="voided"), "no attempt says so"),
    "a call-off undone": (lambda s: s.tickets["off"].update(status="sold"), "ticket off was called off and is sold"),
    "a call-off without a request": (lambda s: s.tickets["sold"].update(status="cancelled"), "did not request it"),
    "a paid order of a cancelled event": (
        lambda s: s.orders["called off"].update(status="complete", reason=None),
        "order called off is complete, although its event was called off",
    ),
    "a refund undone": (
        lambda s: s.orders["given back"].update(status="complete", reason=None),
        "order given back was refunded and is complete",
    ),
    "a check-in": (lambda s: s.checkins.pop("checkin"), "check-in checkin of pass pass is lost"),
    "a check-in of another pass": (lambda s: s.checkins["checkin"].update(pass_id="other"), "is lost"),
    "a second check-in": (lambda s: s.checkins.update(more={"pass_id": "pass"}), "pass pass has 2 check-ins"),
    "one key for two": (
        lambda s: s.tickets.update(again={**s.tickets["sold"]}),
        "2 tickets were made under the key of A night",
    ),
    "one seat for two": (
        lambda s: s.orders.update(twice={**s.orders["bought"], "seats": [3, 1]}),
        "seat 1 of ticket sold was sold as bought and as twice",
    ),
}


@pytest.mark.parametrize("what", BREAKAGES)
def test_a_broken_promise_is_reported(what: str) -> None:
    stored = kept()
    break_it, expected = BREAKAGES[what]
    break_it(stored)
    assert any(expected in one for one in broken_promises(promised(), stored)), broken_promises(promised(), stored)


def test_other_seats_of_the_same_ticket_are_other_sales() -> None:
    stored = kept()
    stored.orders["more"] = {**stored.orders["bought"], "seats": [2, 3]}  # type: ignore[index]
    assert broken_promises(promised(), stored) == []


def test_an_unfinished_state_is_named() -> None:
    stored = kept()
    stored.orders["ended"]["status"] = "created"  # type: ignore[index]
    stored.payments["second"]["status"] = "initiated"  # type: ignore[index]
    assert unsettled(stored) == ["order ended is still created", "payment second is still initiated"]


def test_a_pass_that_admits_twice_is_named() -> None:
    ledger = promised()
    ledger.admit("pass", "checkin")  # the answer to a repeated request
    assert ledger.broken == []
    ledger.admit("pass", "another")
    assert ledger.broken == ["pass pass admitted twice, as checkin and as another"]


def test_a_ticket_that_is_held_again_after_its_sale_was_shown_is_named() -> None:
    ledger = promised()
    ledger.place(Hold("late", "buyer", "sold", 1_000))
    assert ledger.broken == ["ticket sold was held as late after bought had bought it"]
