"""The errors of the orders service, as subclasses of the kinds in `ticketing_common.errors`."""

from datetime import datetime

from pydantic_core import to_jsonable_python

from ticketing_common.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    PermanentError,
    TooManyRequestsError,
    UnavailableError,
)
from ticketing_common.events import OrderReason, OrderStatus
from ticketing_common.money import decimal_text


class OrderNotFoundError(NotFoundError, PermanentError):
    """There is no such order.

    Permanent for events: an order is stored before any event names it, so an order that this database does not have
    never existed, and a redelivery would not help.
    """

    def __init__(self, order_id: str) -> None:
        super().__init__(f"There is no order {order_id}.")


class OrderForbiddenError(ForbiddenError):
    """Another user placed the order."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"Order {order_id} is not yours.")


class OrderNotSoldError(ForbiddenError):
    """Only the seller of the listing may refund an order."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"Order {order_id} is not of a listing of yours.")


class OrderTransitionError(ConflictError, PermanentError):
    """The transition table does not allow this change of status.

    Permanent for events: no later state of an order allows what an earlier one forbids.
    """

    def __init__(self, order_id: str, current: OrderStatus, target: OrderStatus, reason: OrderReason | None) -> None:
        because = f" ({reason})" if reason else ""
        super().__init__(f"Order {order_id} is {current} and cannot become {target}{because}.")


class OrderNotCompleteError(ConflictError):
    """Only a complete order has passes."""

    title = "The order is not complete"

    def __init__(self, order_id: str) -> None:
        super().__init__(f"Order {order_id} is not complete, so it has no passes.")


class OrderNotDueError(UnavailableError):
    """By the clock of this replica the deadline is still ahead. Transient, so that the event is redelivered later."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"Order {order_id} is not due yet.")


class TicketNotFoundError(NotFoundError):
    """There is no such ticket, or its seller deleted it."""

    detail = "There is no such ticket."


class TicketOwnedError(ForbiddenError):
    """The buyer is the seller."""

    def __init__(self, ticket_id: str) -> None:
        super().__init__(f"Ticket {ticket_id} is your own.")


class EventBegunError(ConflictError):
    """The event of the ticket has begun, so it is no longer sold."""

    title = "The event has begun"

    def __init__(self, ticket_id: str) -> None:
        super().__init__(f"The event of ticket {ticket_id} has begun; it can no longer be held.")


class EventCancelledError(ConflictError):
    """The seller called the event off, so its listing is no longer sold."""

    title = "The event is cancelled"

    def __init__(self, ticket_id: str) -> None:
        super().__init__(f"The event of ticket {ticket_id} is cancelled; it can no longer be held.")


class EventUndatedError(ConflictError):
    """The listing has no time, so there is nothing to write into a calendar."""

    title = "The event has no time"

    def __init__(self, order_id: str) -> None:
        super().__init__(f"The event of order {order_id} has no time.")


class ListingForbiddenError(ForbiddenError):
    """Another account sells this ticket: only that account sees its sales and admits with its passes."""

    def __init__(self, ticket_id: str) -> None:
        super().__init__(f"Ticket {ticket_id} is not yours.")


class PassNotFoundError(NotFoundError):
    """The order has no such pass."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"Order {order_id} has no such pass.")


class PassUsedError(ConflictError):
    """The pass was checked in before; the response has the time of that as `firstAt`, and `passStatus` `used`."""

    title = "The pass was used"

    def __init__(self, pass_id: str, seat: int, first_at: datetime) -> None:
        first = str(to_jsonable_python(first_at))
        super().__init__(f"The pass for seat {seat} was checked in at {first}.")
        self.members = {"passStatus": "used", "firstAt": first, "passId": pass_id, "seat": seat}


class PassVoidError(ConflictError):
    """The order of the pass has ended or the event is called off, so it does not admit; `passStatus` is `void`."""

    title = "The pass is void"

    def __init__(self, pass_id: str, seat: int) -> None:
        super().__init__(f"The pass for seat {seat} is void: its order has ended, or the event is called off.")
        self.members = {"passStatus": "void", "passId": pass_id, "seat": seat}


class PriceChangedError(ConflictError):
    """The price of a seat differs from the one the buyer saw; the response has the current one as `price`."""

    title = "The price has changed"

    def __init__(self, ticket_id: str, price_cents: int, currency: str) -> None:
        costs = f"{decimal_text(price_cents)} {currency}"
        super().__init__(f"A seat of ticket {ticket_id} now costs {costs}.", field="price")
        self.members = {"price": price_cents / 100}


class TicketReservedError(ConflictError):
    """Fewer seats are free than the buyer wants: other orders hold or have bought them.

    The response has the number of free seats as `available`.
    """

    title = "Not enough seats are free"

    def __init__(self, ticket_id: str, *, available: int = 0) -> None:
        free = {0: "No seat", 1: "Only 1 seat"}.get(available, f"Only {available} seats")
        verb = "is" if available <= 1 else "are"
        super().__init__(f"{free} of ticket {ticket_id} {verb} free.")
        self.members = {"available": available}


class SeatTakenError(ConflictError):
    """Another active order has this seat; used only inside the service."""

    def __init__(self, seat: int) -> None:
        super().__init__(f"Seat {seat} is taken.")
        self.seat = seat


class HoldSlotTakenError(ConflictError):
    """Another open hold of the same account has this slot; used only inside the service."""


class HeldBeforeError(ConflictError):
    """The same account has an earlier hold of the same ticket with this turn; used only inside the service."""


class TooManyHoldsError(TooManyRequestsError):
    """The account has as many unpaid holds as the limit allows."""

    def __init__(self, allowed: int, *, retry_after_seconds: int) -> None:
        detail = f"You hold {allowed} unpaid orders. Pay or cancel one of them first."
        super().__init__(detail, retry_after_seconds=retry_after_seconds, limit="open-holds")


class TooManyReholdsError(TooManyRequestsError):
    """The account has held the ticket without paying as often as the limit allows."""

    def __init__(self, ticket_id: str, *, retry_after_seconds: int) -> None:
        detail = f"You have held ticket {ticket_id} several times without paying. Leave it to others for a while."
        super().__init__(detail, retry_after_seconds=retry_after_seconds, limit="reholds")
