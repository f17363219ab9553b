"""A ticket: its rules, and how it is found."""

from .listing import TRANSITIONS, Taken, Ticket, TicketDetails, check_price, taken_by
from .search import TicketSearch, TicketSort, words_of
from .statuses import LISTED, ShownStatus, shown_status

__all__ = [
    "LISTED",
    "TRANSITIONS",
    "ShownStatus",
    "Taken",
    "Ticket",
    "TicketDetails",
    "TicketSearch",
    "TicketSort",
    "check_price",
    "shown_status",
    "taken_by",
    "words_of",
]
