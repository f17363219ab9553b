"""What the callers were promised: every answer that says something was done, and what it said."""

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Charge", "Hold", "Ledger", "Listing"]


@dataclass
class Listing:
    """A ticket whose listing was acknowledged; `version` is the newest that was. Money in cents.

    `deleted`: its deletion was acknowledged. `in_doubt`: a deletion was asked for and not answered.
    """

    id: str
    seller_id: str
    title: str
    price_cents: int
    version: int
    quantity: int = 1
    deleted: bool = False
    in_doubt: bool = False


@dataclass
class Hold:
    """An order that was acknowledged, with its seats and the price of one that its buyer was shown.

    `cancelled`: the cancellation was acknowledged. `seen_complete`: the buyer was shown that it is paid.
    """

    id: str
    buyer_id: str
    ticket_id: str
    price_cents: int
    seats: tuple[int, ...] = (1,)
    cancelled: bool = False
    seen_complete: bool = False


@dataclass(frozen=True)
class Charge:
    """A payment that was acknowledged as made (`paid`), or as declined: then it has no id."""

    order_id: str
    payment_id: str | None
    paid: bool


@dataclass
class Ledger:
    """All promises of a run. `broken` holds those that were seen broken at once, by the next answer."""

    accounts: dict[str, str] = field(default_factory=dict)
    listings: dict[str, Listing] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    charges: list[Charge] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    """Actions begun, by name."""
    acknowledged: Counter[str] = field(default_factory=Counter)
    """Actions that were answered with 200, 201 or 204, by name."""
    unanswered: Counter[str] = field(default_factory=Counter)
    """Actions that were given up without an answer: they may have happened or not."""

    def list_ticket(self, listing: Listing) -> None:
        """The same listing may be acknowledged twice, under one Idempotency-Key: it is one."""
        self.listings.setdefault(listing.id, listing)

    def place(self, hold: Hold) -> Hold:
        """As for listings."""
        for other in self.holds.values():
            same = set(other.seats) & set(hold.seats) if other.ticket_id == hold.ticket_id else ()
            if same and other.seen_complete and other.id != hold.id:
                self.broken.append(f"ticket {hold.ticket_id} was held as {hold.id} after {other.id} had bought it")
        return self.holds.setdefault(hold.id, hold)

    def charge(self, charge: Charge) -> None:
        """Every answer is a promise of its own."""
        self.charges.append(charge)
