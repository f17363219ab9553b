"""The errors of the tickets service, as subclasses of the kinds in `ticketing_common.errors`."""

from ticketing_common.errors import ConflictError, FieldError, ForbiddenError, InvalidInputError, NotFoundError
from ticketing_common.money import MAX_CHARGE_CENTS, decimal_text


class EmailUnverifiedError(ForbiddenError):
    """This marketplace requires a confirmed e-mail of its sellers, and the caller's token does not have one."""

    title = "Confirm your e-mail first"
    detail = (
        "Sellers confirm their e-mail address by the link in our mail. After that, load the page again; a program "
        "needs a new token."
    )


class PriceTooLowError(InvalidInputError):
    """The price is below the smallest amount that the card processor charges in this currency."""

    def __init__(self, smallest_cents: int, currency: str) -> None:
        super().__init__(f"Input should be at least {decimal_text(smallest_cents)} {currency}", field="price")


class TotalTooHighError(InvalidInputError):
    """All seats together cost more than the card processor charges in one payment; `field` is the one to lower."""

    def __init__(self, field: str) -> None:
        super().__init__(f"Price times quantity should be at most {decimal_text(MAX_CHARGE_CENTS)}", field=field)


class FieldFixedError(ConflictError):
    """This field may not change while seats are held or sold, or may not go below the taken seats (`least`)."""

    title = "Seats are held or sold"

    def __init__(self, ticket_id: str, field: str, *, least: int | None = None) -> None:
        if least is None:
            detail = f"The {field} of ticket {ticket_id} cannot change while seats are held or sold."
            message = "Input cannot change while seats are held or sold"
        else:
            seats = "1 seat" if least == 1 else f"{least} seats"
            verb = "is" if least == 1 else "are"
            detail = f"{seats} of ticket {ticket_id} {verb} held or sold; the {field} cannot be lower."
            message = f"Input should be at least {least}: {seats} {verb} held or sold"
        super().__init__(detail, errors=(FieldError(message, field),))


class StartInPastError(InvalidInputError):
    """The new date of a listing is in the past."""

    detail = "Input should be in the future"
    field = "startsAt"


class TicketNotFoundError(NotFoundError):
    """There is no such ticket, or its seller deleted it."""

    def __init__(self, ticket_id: str) -> None:
        super().__init__(f"There is no ticket {ticket_id}.")


class TicketCancelledError(ConflictError):
    """The seller called the event off, so the listing does not change any more."""

    title = "The event is cancelled"

    def __init__(self, ticket_id: str) -> None:
        super().__init__(f"The event of ticket {ticket_id} is cancelled; the listing can no longer be changed.")


class TicketNotOwnedError(ForbiddenError):
    """Only the seller may change a listing."""

    def __init__(self, ticket_id: str) -> None:
        super().__init__(f"Ticket {ticket_id} belongs to another user.")


class TicketReservedError(ConflictError):
    """Orders hold or have bought seats of the ticket, so what the buyers saw must not change."""

    def __init__(self, ticket_id: str, status: str) -> None:
        super().__init__(f"Ticket {ticket_id} is {status}; this is possible only while no seat is held or sold.")


class TicketTransitionError(ConflictError):
    """The transition table does not allow this change of status."""

    def __init__(self, ticket_id: str, before: str, after: str) -> None:
        super().__init__(f"Ticket {ticket_id} cannot go from {before} to {after}.")
