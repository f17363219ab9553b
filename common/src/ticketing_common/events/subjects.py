"""The streams, one per producer, and the subjects each may carry."""

from typing import Final

__all__ = ["DEAD_LETTERS", "DEAD_LETTERS_SUBJECT", "EXPIRATIONS", "ORDERS", "PAYMENTS", "STREAM_SUBJECTS", "TICKETS"]

TICKETS: Final = "TICKETS"
ORDERS: Final = "ORDERS"
PAYMENTS: Final = "PAYMENTS"
EXPIRATIONS: Final = "EXPIRATIONS"
DEAD_LETTERS: Final = "DEAD_LETTERS"

DEAD_LETTERS_SUBJECT: Final = "dead_letters"

STREAM_SUBJECTS: Final = {
    TICKETS: "ticket.>",
    ORDERS: "order.>",
    PAYMENTS: "payment.>",
    EXPIRATIONS: "expiration.>",
    DEAD_LETTERS: f"{DEAD_LETTERS_SUBJECT}.>",
}
