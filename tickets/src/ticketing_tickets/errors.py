"""What tickets refuses, each as its kind of error."""

from ticketing_common.errors import ConflictError, FieldError, ForbiddenError, InvalidInputError, NotFoundError
from ticketing_common.money import decimal_text

__all__ = [
    "PriceTooLowError",
    "StartInPastError",
    "TicketNotFoundError",
    "TicketNotOwnedError",
    "TicketReservedError",
    "TicketTransitionError",
]


class PriceTooLowError(InvalidInputError):
    """The card processor charges no such small amount in this currency."""

    def __init__(self, smallest_cents: int, currency: str) -> None:
        detail = f"Input should be at least {decimal_text(smallest_cents)} {currency}"
        super().__init__(detail, errors=(FieldError(detail, "price"),))


class StartInPastError(InvalidInputError):
    """A listing is given a new date that has passed."""

    def __init__(self) -> None:
        detail = "Input should be in the future"
        super().__init__(detail, errors=(FieldError(detail, "startsAt"),))


class TicketNotFoundError(NotFoundError):
    """No such ticket, or one that its seller has taken off sale."""

    def __init__(self, ticket_id: str) -> None:
        super().__init__(f"There is no ticket {ticket_id}.")


class TicketNotOwnedError(ForbiddenError):
    """Only the seller may change a listing."""

    def __init__(self, ticket_id: str) -> None:
        super().__init__(f"Ticket {ticket_id} is somebody else's.")


class TicketReservedError(ConflictError):
    """Somebody holds or has bought the ticket: what they saw must not change under them."""

    def __init__(self, ticket_id: str, status: str) -> None:
        super().__init__(f"Ticket {ticket_id} is {status}; it can be changed only while it is available.")


class TicketTransitionError(ConflictError):
    """A change of status that the transition table does not know."""

    def __init__(self, ticket_id: str, before: str, after: str) -> None:
        super().__init__(f"Ticket {ticket_id} cannot go from {before} to {after}.")
