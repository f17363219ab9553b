"""The promises to the callers: every response that reports success, with its content."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Listing:
    """A ticket whose listing was acknowledged; `version` is the newest acknowledged one. Money in cents.

    `deleted`: its deletion was acknowledged. `in_doubt`: a deletion was requested without a response.
    `off_requested`: the seller has called the event off; `off`: that was acknowledged.
    """

    id: str
    seller_id: str
    title: str
    price_cents: int
    version: int
    quantity: int = 1
    deleted: bool = False
    in_doubt: bool = False
    off_requested: bool = False
    off: bool = False


@dataclass
class Hold:
    """An acknowledged order, with its seats and the price of one seat that the response showed.

    `cancelled`: the cancellation was acknowledged. `seen_complete`: a response showed it as paid.
    `refund_requested`: the seller has refunded it; `refunded`: that was acknowledged.
    """

    id: str
    buyer_id: str
    ticket_id: str
    price_cents: int
    seats: tuple[int, ...] = (1,)
    cancelled: bool = False
    seen_complete: bool = False
    refund_requested: bool = False
    refunded: bool = False


@dataclass(frozen=True)
class Charge:
    """A payment that was acknowledged (`paid`) or declined; a declined one has no id."""

    order_id: str
    payment_id: str | None
    paid: bool


@dataclass
class Ledger:
    """All promises of a run. `broken` has those that a later response contradicted."""

    accounts: dict[str, str] = field(default_factory=dict)
    listings: dict[str, Listing] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    charges: list[Charge] = field(default_factory=list)
    checkins: dict[str, str] = field(default_factory=dict)
    """The id of the acknowledged check-in, by the id of its pass."""
    broken: list[str] = field(default_factory=list)
    begun: Counter[str] = field(default_factory=Counter)
    """Actions begun, by name."""
    acknowledged: Counter[str] = field(default_factory=Counter)
    """Actions with a response of 200, 201 or 204, by name."""
    unanswered: Counter[str] = field(default_factory=Counter)
    """Actions without a response: they may have happened or not."""

    def list_ticket(self, listing: Listing) -> None:
        """Record a listing; one that is acknowledged twice with one Idempotency-Key counts once."""
        self.listings.setdefault(listing.id, listing)

    def place(self, hold: Hold) -> Hold:
        """Record an order, as `list_ticket` does for listings."""
        for other in self.holds.values():
            same = set(other.seats) & set(hold.seats) if other.ticket_id == hold.ticket_id else ()
            if same and other.seen_complete and not self.may_end(other) and other.id != hold.id:
                self.broken.append(f"ticket {hold.ticket_id} was held as {hold.id} after {other.id} had bought it")
        return self.holds.setdefault(hold.id, hold)

    def may_end(self, hold: Hold) -> bool:
        """Whether a paid order may end: its refund was requested, or its event was called off."""
        return hold.refund_requested or self.listings[hold.ticket_id].off_requested

    def admit(self, pass_id: str, checkin_id: str) -> None:
        """Record a check-in; a pass has one."""
        first = self.checkins.setdefault(pass_id, checkin_id)
        if first != checkin_id:
            self.broken.append(f"pass {pass_id} admitted twice, as {first} and as {checkin_id}")

    def charge(self, charge: Charge) -> None:
        """Record a payment; every response is a separate promise."""
        self.charges.append(charge)
