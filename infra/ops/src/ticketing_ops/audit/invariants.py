"""What must hold, in one table; and what is said when it does not."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

__all__ = ["INVARIANTS", "Finding", "Invariant", "Moment", "Violation"]


@dataclass(frozen=True, slots=True)
class Invariant:
    """One rule: what must be true, and what makes it true again."""

    name: str
    meaning: str
    repair: str


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule in one place; `ids` says where (`order`, `ticket`, `payment`, …), `detail` what was seen."""

    invariant: str
    ids: Mapping[str, str]
    detail: str
    repair: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check saw; a suspicion until a second look has seen the same."""

    invariant: str
    ids: tuple[tuple[str, str], ...]
    detail: str

    @classmethod
    def of(cls, invariant: str, detail: str, **ids: str | None) -> "Finding":
        """`ids` by kind; a kind without an id is left out."""
        return cls(invariant, tuple((kind, value) for kind, value in ids.items() if value is not None), detail)

    def violation(self) -> Violation:
        """With what would repair it."""
        return Violation(self.invariant, dict(self.ids), self.detail, INVARIANTS[self.invariant].repair)


@dataclass(frozen=True, slots=True)
class Moment:
    """The time of a look (UTC), and how long something may be on its way before it counts as broken."""

    now: datetime
    grace: timedelta

    def settled(self, *times: datetime | None) -> bool:
        """Whether all of this was already so a grace ago; what is None never happened, and is not waited for."""
        before = self.now - self.grace
        for time in times:  # noqa: SIM110 (asked millions of times; a generator takes twice as long)
            if time is not None and time > before:
                return False
        return True


_RESYNC: Final = "`ticketing resync {}`; if it stays, look at the consumer's log and the dead letters"

INVARIANTS: Final[Mapping[str, Invariant]] = {
    invariant.name: invariant
    for invariant in (
        Invariant(
            "seat_taken_twice",
            "a seat has one active order (created or complete) at most",
            "cancel the younger order and refund its payment; then find out why the index one_active_order_per_seat "
            "of the orders database is missing",
        ),
        Invariant(
            "seats_beyond_quantity",
            "active orders have no more seats than their listing",
            "`ticketing resync orders`: tickets counts again, and raises a quantity that was lowered too late; "
            "otherwise cancel and refund the youngest orders",
        ),
        Invariant(
            "seats_miscounted",
            "a listing counts as held and sold just the seats of its active orders",
            "`ticketing resync orders`: tickets counts again",
        ),
        Invariant(
            "hold_overdue",
            "an unpaid order ends at its deadline",
            "see that the expiration worker runs; its sweep ends what is due, and `ticketing resync expiration` tells "
            "orders again what it may have missed",
        ),
        Invariant(
            "ticket_without_order",
            "a ticket is held or sold only for an active order",
            "`ticketing resync orders`: tickets hears of every order again and frees what nobody has",
        ),
        Invariant(
            "order_without_ticket",
            "the ticket of an active order is held (created) or sold (complete) for it",
            "`ticketing resync orders`: tickets hears of every order again; a ticket that is lost must be restored "
            "from the backup first",
        ),
        Invariant(
            "complete_without_payment",
            "a complete order has an authorised or captured payment of its own",
            "nobody paid: cancel the order, or look in Stripe for its payment and restore the payment's row",
        ),
        Invariant(
            "paid_other_price",
            "what was paid for a complete order is its price as placed, in its currency",
            "refund the difference, or agree with the buyer; then find out who changed the order or the payment",
        ),
        Invariant(
            "complete_not_captured",
            "the payment of a complete order is captured",
            "`ticketing resync orders`: payments hears of the completion again and captures; authorisations end after "
            "seven days",
        ),
        Invariant(
            "captured_without_order",
            "money is taken for a complete order only; otherwise it is given back",
            "`ticketing resync orders`: payments hears of the cancellation again and refunds; if the row says voided "
            "already, refund by hand in Stripe",
        ),
        Invariant(
            "complete_refunded",
            "the money of a complete order is with us",
            "it was refunded at Stripe, or a dispute was lost: the order has to end, so that its seat is free",
        ),
        Invariant(
            "refunded_in_part",
            "a complete order is paid in full",
            "agree with the buyer: refund the rest in Stripe to end the sale, or leave it and know of it",
        ),
        Invariant(
            "dispute_open",
            "no payment is disputed at the buyer's bank",
            "answer the dispute in Stripe's dashboard before its date; the payment follows the bank's decision",
        ),
        Invariant(
            "authorization_not_voided",
            "money is not set aside for an order that is over",
            "`ticketing resync orders`: payments hears of the cancellation again and lets the money go; otherwise "
            "cancel the PaymentIntent by hand",
        ),
        Invariant(
            "charged_twice",
            "an order is charged once",
            "refund every PaymentIntent but the one whose payment the order names",
        ),
        Invariant(
            "intent_unknown",
            "every PaymentIntent with our metadata that can still move money belongs to a row of payments",
            "cancel or refund it in Stripe, or restore the payments database from a younger backup",
        ),
        Invariant(
            "payment_disagrees_with_stripe",
            "a payment's row says what Stripe says",
            "POST /api/payments/{id}/refresh as its buyer asks Stripe again; what is settled here already must be "
            "put right by hand, after Stripe's word",
        ),
        Invariant(
            "projection_behind",
            "every copy of another service's aggregate has caught up with it",
            _RESYNC.format("<the owner: the first word of what it copies>"),
        ),
        Invariant(
            "projection_ahead",
            "no copy is newer than its source, or of something that is not there",
            "the source was set back, by an older backup: restore a younger one; resync does not help, since copies "
            "only go forward",
        ),
        Invariant(
            "projection_differs",
            "a copy of the same version says the same",
            "remove that copy and run `ticketing resync` for its owner; then find out who wrote it",
        ),
        Invariant(
            "document_unreadable",
            "every document has the fields that its service writes",
            "restore the document from a backup, and find out who wrote it; what else names it is not judged",
        ),
        Invariant(
            "owner_unknown",
            "whoever sells a ticket or placed an order has an account",
            "the auth database was set back: restore a younger backup",
        ),
        Invariant(
            "outbox_stuck",
            "an event leaves the outbox within the grace",
            "see that NATS is up and that the service runs: its relay's sweep sends what waits",
        ),
        Invariant(
            "outbox_parked",
            "no event was refused by the bus",
            "read `error` in the document's outbox_parked, mend the cause, remove the entry and run `ticketing resync`",
        ),
        Invariant(
            "dead_letter",
            "no event was given up by a consumer",
            "`ticketing dead-letters show` tells the cause; mend it, then `replay` or `discard`",
        ),
        Invariant(
            "deliveries_exhausted",
            "the bus did not give up on an event by itself",
            "`ticketing dead-letters show` tells which event it was; mend the cause, then `replay` or `discard`",
        ),
        Invariant(
            "consumer_missing",
            "every stream and every consumer that the services declare exists",
            "start the service that owns it, which declares it again; then `ticketing resync` for the stream's owner",
        ),
        Invariant(
            "consumer_stuck",
            "a consumer has handled everything that is older than the grace",
            "see that the service runs and read its log; the event that it cannot handle is tried again and again",
        ),
    )
}
"""By name; the order is that of the lists."""
