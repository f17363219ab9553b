"""What the model of the marketplace remembers of tickets and orders."""

from dataclasses import dataclass


@dataclass
class ModelTicket:
    id: str
    seller: str
    cents: int
    quantity: int = 1
    held: int = 0
    sold: int = 0
    deleted: bool = False
    cancelled: bool = False

    @property
    def free(self) -> int:
        return 0 if self.cancelled else self.quantity - self.held - self.sold

    @property
    def status(self) -> str:
        if self.deleted:
            return "deleted"
        if self.cancelled:
            return "cancelled"
        return "available" if self.free else "held" if self.held else "sold"


@dataclass
class ModelOrder:
    id: str
    buyer: str
    ticket: ModelTicket
    cents: int
    quantity: int = 1
    status: str = "created"
    reason: str | None = None

    def __post_init__(self) -> None:
        self.ticket.held += self.quantity

    def end(self, reason: str) -> None:
        if self.status == "complete":
            self.ticket.sold -= self.quantity
        else:
            self.ticket.held -= self.quantity
        self.status, self.reason = "cancelled", reason

    def complete(self) -> None:
        self.status = "complete"
        self.ticket.held -= self.quantity
        self.ticket.sold += self.quantity
