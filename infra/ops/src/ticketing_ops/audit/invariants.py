"""The table of the invariants, and the types for their violations."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final


@dataclass(frozen=True, slots=True)
class Invariant:
    """One invariant: what must hold, and how to repair a violation."""

    name: str
    meaning: str
    repair: str


@dataclass(frozen=True, slots=True)
class Violation:
    """One violation; `ids` name its aggregates (`order`, `ticket`, `payment`, …), `detail` says what was found."""

    invariant: str
    ids: Mapping[str, str]
    detail: str
    repair: str


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check; a violation once a second reading has found the same."""

    invariant: str
    ids: tuple[tuple[str, str], ...]
    detail: str

    @classmethod
    def of(cls, invariant: str, detail: str, **ids: str | None) -> "Finding":
        """Create a finding with `ids` by kind; a kind whose id is None is left out."""
        return cls(invariant, tuple((kind, value) for kind, value in ids.items() if value is not None), detail)

    def violation(self) -> Violation:
        """The violation, with its repair."""
        return Violation(self.invariant, dict(self.ids), self.detail, INVARIANTS[self.invariant].repair)


@dataclass(frozen=True, slots=True)
class Moment:
    """The time of a reading (UTC), and the grace: how long a change may take to reach all places."""

    now: datetime
    grace: timedelta

    def settled(self, *times: datetime | None) -> bool:
        """Whether all of these times are older than the grace; None counts as old."""
        before = self.now - self.grace
        for time in times:  # noqa: SIM110 (called millions of times; a generator takes twice as long)
            if time is not None and time > before:
                return False
        return True


_RESYNC: Final = "`ticketing resync {}`; if that does not help, read the consumer's log and the dead letters"

INVARIANTS: Final[Mapping[str, Invariant]] = {
    invariant.name: invariant
    for invariant in (
        Invariant(
            "seat_taken_twice",
            "a seat has at most one active order (created or complete)",
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
            "a listing's counts of held and sold seats are those of its active orders",
            "`ticketing resync orders`: tickets counts again",
        ),
        Invariant(
            "hold_overdue",
            "an unpaid order ends at its deadline",
            "check that the expiration worker runs; its sweep ends due holds, and `ticketing resync expiration` "
            "publishes again what orders may have missed",
        ),
        Invariant(
            "ticket_without_order",
            "a ticket is held or sold only for an active order",
            "`ticketing resync orders`: tickets receives every order again and frees seats without an order",
        ),
        Invariant(
            "order_without_ticket",
            "the ticket of an active order is held (created) or sold (complete) for it",
            "`ticketing resync orders`: tickets receives every order again; restore a lost ticket from a backup first",
        ),
        Invariant(
            "order_of_cancelled_event",
            "an event that is called off has no active order",
            "`ticketing resync tickets`: orders receives the cancellation again and ends its orders; payments then "
            "voids or refunds",
        ),
        Invariant(
            "complete_without_payment",
            "a complete order has an authorised or captured payment of its own",
            "cancel the order, or find its payment in Stripe and restore the payment's row",
        ),
        Invariant(
            "paid_other_price",
            "the payment of a complete order has the price at which it was placed, in its currency",
            "refund the difference, or agree with the buyer; then find out what changed the order or the payment",
        ),
        Invariant(
            "complete_not_captured",
            "the payment of a complete order is captured",
            "`ticketing resync orders`: payments receives the completion again and captures; an authorisation ends "
            "after seven days",
        ),
        Invariant(
            "captured_without_order",
            "a captured payment belongs to a complete order; any other is refunded",
            "`ticketing resync orders`: payments receives the cancellation again and refunds; if the row is voided, "
            "or refunded by a refund that failed later, refund by hand in Stripe",
        ),
        Invariant(
            "complete_refunded",
            "the payment of a complete order is not refunded",
            "it was refunded at Stripe, or a dispute was lost: `ticketing resync payments`; orders ends the order, "
            "which frees its seats",
        ),
        Invariant(
            "refunded_in_part",
            "a complete order is paid in full",
            "agree with the buyer: refund the order, or the rest in Stripe, to end the sale; or accept the violation",
        ),
        Invariant(
            "dispute_open",
            "no payment is disputed at the buyer's bank",
            "respond to the dispute in Stripe's dashboard before its due date; the payment follows the bank's decision",
        ),
        Invariant(
            "authorization_not_voided",
            "no payment of a cancelled order stays authorised",
            "`ticketing resync orders`: payments receives the cancellation again and voids the authorisation; "
            "otherwise cancel the PaymentIntent by hand",
        ),
        Invariant(
            "charged_twice",
            "an order is charged once",
            "refund every PaymentIntent but the one whose payment the order names",
        ),
        Invariant(
            "intent_unknown",
            "every PaymentIntent with this marketplace's metadata that can still move money belongs to a payment's row",
            "cancel or refund it in Stripe, or restore the payments database from a newer backup",
        ),
        Invariant(
            "payment_disagrees_with_stripe",
            "a payment's row agrees with Stripe",
            "POST /api/payments/{id}/refresh as its buyer reads Stripe again; correct a row that is already final by "
            "hand, to Stripe's state",
        ),
        Invariant(
            "checkin_without_order",
            "every check-in belongs to an order of its listing that was complete",
            "find out what wrote or removed a document of the orders database; the admission happened: keep its record",
        ),
        Invariant(
            "checkin_of_other_seat",
            "the seat and the pass of a check-in are those of its order",
            "find out what wrote it; the admission happened, so keep its record",
        ),
        Invariant(
            "checked_in_twice",
            "a pass has one check-in",
            "find out why the index one_checkin_per_pass of the orders database is missing, and remove the later "
            "check-ins; orders creates the index at its next start",
        ),
        Invariant(
            "checkin_after_end",
            "no pass admits once its order has ended, apart from the same moment",
            "check the clocks of the nodes; the admission happened, so keep its record",
        ),
        Invariant(
            "projection_behind",
            "every projection has the current version of its source",
            _RESYNC.format("<the owner of the source>"),
        ),
        Invariant(
            "projection_ahead",
            "no copy is newer than its source, and every copy has a source",
            "an older backup of the source was restored: restore a newer one; resync does not help, since projections "
            "apply only newer versions",
        ),
        Invariant(
            "projection_differs",
            "a copy equals its source at the same version",
            "remove that copy and run `ticketing resync` for its owner; then find out what wrote it",
        ),
        Invariant(
            "document_unreadable",
            "every document has the fields that its service writes",
            "restore the document from a backup, and find out what wrote it; other checks ignore what names it",
        ),
        Invariant(
            "owner_unknown",
            "every seller of a ticket and every buyer of an order has an account",
            "an older backup of the auth database was restored: restore a newer one",
        ),
        Invariant(
            "deleted_account_remains",
            "a deleted account has neither an e-mail nor a password",
            "an older backup of the auth database was restored: delete the account again",
        ),
        Invariant(
            "listing_of_deleted_account",
            "a deleted account has nothing on sale",
            "`ticketing resync auth`: tickets withdraws its unsold listings again; a listing with sold seats is called "
            "off by hand",
        ),
        Invariant(
            "mail_overdue",
            "a mail is delivered or given up within the time of its kind",
            "check that a mail worker (the process `mail`) runs, and read its log",
        ),
        Invariant(
            "mail_given_up",
            "no mail was given up within the last day",
            "repair the mail server or SMTP_URL; docs/mail.md says how to queue given up mails again",
        ),
        Invariant(
            "outbox_stuck",
            "an event leaves the outbox within the grace",
            "check that NATS and the service run: the sweep of its relay publishes waiting events",
        ),
        Invariant(
            "outbox_parked",
            "the bus refused no event",
            "read `error` in the document's outbox_parked, fix the cause, remove the entry and run `ticketing resync`",
        ),
        Invariant(
            "dead_letter",
            "no consumer has stored a dead letter",
            "`ticketing dead-letters show` prints the cause; fix it, then `replay` or `discard`",
        ),
        Invariant(
            "deliveries_exhausted",
            "no event reached the maximum number of deliveries at the bus",
            "`ticketing dead-letters show` prints the event; fix the cause, then `replay` or `discard`",
        ),
        Invariant(
            "consumer_missing",
            "every stream and every consumer that the services declare exists",
            "start the service that owns it, which declares it again; then `ticketing resync` for the stream's owner",
        ),
        Invariant(
            "consumer_stuck",
            "a consumer has handled every event that is older than the grace",
            "check that the service runs and read its log; the event that it cannot handle is redelivered",
        ),
    )
}
"""The invariants by name, in the order of the report."""
