"""What can go wrong with an order, in the words of the kinds of `ticketing_common.errors`."""

from ticketing_common.errors import (
    ConflictError,
    FieldError,
    ForbiddenError,
    NotFoundError,
    PermanentError,
    TooManyRequestsError,
    UnavailableError,
)
from ticketing_common.events import OrderReason, OrderStatus
from ticketing_common.money import decimal_text

__all__ = [
    "EventBegunError",
    "HeldBeforeError",
    "HoldSlotTakenError",
    "OrderForbiddenError",
    "OrderNotDueError",
    "OrderNotFoundError",
    "OrderTransitionError",
    "PriceChangedError",
    "SeatTakenError",
    "TicketNotFoundError",
    "TicketOwnedError",
    "TicketReservedError",
    "TooManyHoldsError",
    "TooManyReholdsError",
]


class OrderNotFoundError(NotFoundError, PermanentError):
    """There is no such order.

    Permanent for events: an order is stored before anybody can hear of it, so what this database does not know never
    existed, and waiting would not bring it.
    """

    def __init__(self, order_id: str) -> None:
        super().__init__(f"There is no order {order_id}.")


class OrderForbiddenError(ForbiddenError):
    """The order is somebody else's."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"Order {order_id} is not yours.")


class OrderTransitionError(ConflictError, PermanentError):
    """The order may not go from where it stands to there.

    Permanent for events: no later state of an order allows what an earlier one forbids.
    """

    def __init__(self, order_id: str, current: OrderStatus, target: OrderStatus, reason: OrderReason | None) -> None:
        because = f" ({reason})" if reason else ""
        super().__init__(f"Order {order_id} is {current} and cannot become {target}{because}.")


class OrderNotDueError(UnavailableError):
    """The clock here says that the deadline is still ahead: passing, so that the event comes again later."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"Order {order_id} is not due yet.")


class TicketNotFoundError(NotFoundError):
    """There is no such ticket, or its seller took it back."""

    def __init__(self) -> None:
        super().__init__("There is no such ticket.")


class TicketOwnedError(ForbiddenError):
    """The buyer is the seller."""

    def __init__(self, ticket_id: str) -> None:
        super().__init__(f"Ticket {ticket_id} is your own.")


class EventBegunError(ConflictError):
    """The event of the ticket has begun, so it is no longer sold."""

    title = "The event has begun"

    def __init__(self, ticket_id: str) -> None:
        super().__init__(f"The event of ticket {ticket_id} has begun; it can no longer be held.")


class PriceChangedError(ConflictError):
    """A seat costs another price than the buyer saw; the answer has the present one as `price`."""

    title = "The price has changed"

    def __init__(self, ticket_id: str, price_cents: int, currency: str) -> None:
        detail = f"A seat of ticket {ticket_id} now costs {decimal_text(price_cents)} {currency}."
        super().__init__(detail, errors=(FieldError(detail, "price"),))
        self.members = {"price": price_cents / 100}


class TicketReservedError(ConflictError):
    """Fewer seats are free than the buyer wants: other orders hold or have bought them.

    The answer has the number of free seats as `available`.
    """

    title = "Not enough seats are free"

    def __init__(self, ticket_id: str, *, available: int = 0) -> None:
        free = {0: "No seat", 1: "Only 1 seat"}.get(available, f"Only {available} seats")
        verb = "is" if available <= 1 else "are"
        super().__init__(f"{free} of ticket {ticket_id} {verb} free.")
        self.members = {"available": available}


class SeatTakenError(ConflictError):
    """Another active order has this seat; inside the service only."""

    def __init__(self, seat: int) -> None:
        super().__init__(f"Seat {seat} is taken.")
        self.seat = seat


class HoldSlotTakenError(ConflictError):
    """Another open hold of the same account has this slot; inside the service only."""


class HeldBeforeError(ConflictError):
    """The same account has held the same ticket before, under this number; inside the service only."""


class TooManyHoldsError(TooManyRequestsError):
    """The account has as many unpaid holds as it may."""

    def __init__(self, allowed: int, *, retry_after_seconds: int) -> None:
        detail = f"You hold {allowed} unpaid orders. Pay or cancel one of them first."
        super().__init__(detail, retry_after_seconds=retry_after_seconds, limit="open-holds")


class TooManyReholdsError(TooManyRequestsError):
    """The account has held the ticket again and again without paying."""

    def __init__(self, ticket_id: str, *, retry_after_seconds: int) -> None:
        detail = f"You have held ticket {ticket_id} several times without paying. Leave it to others for a while."
        super().__init__(detail, retry_after_seconds=retry_after_seconds, limit="reholds")
