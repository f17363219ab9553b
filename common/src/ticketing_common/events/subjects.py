"""The streams, one per producer, and the subjects each may carry; and two that catch what was given up."""

from typing import Final

__all__ = [
    "ADVISORIES",
    "DEAD_LETTERS",
    "DEAD_LETTERS_SUBJECT",
    "EXPIRATIONS",
    "ORDERS",
    "PAYMENTS",
    "SAFETY_NETS",
    "STREAM_SUBJECTS",
    "TICKETS",
]

TICKETS: Final = "TICKETS"
ORDERS: Final = "ORDERS"
PAYMENTS: Final = "PAYMENTS"
EXPIRATIONS: Final = "EXPIRATIONS"
DEAD_LETTERS: Final = "DEAD_LETTERS"
ADVISORIES: Final = "ADVISORIES"

DEAD_LETTERS_SUBJECT: Final = "dead_letters"

STREAM_SUBJECTS: Final = {
    TICKETS: "ticket.>",
    ORDERS: "order.>",
    PAYMENTS: "payment.>",
    EXPIRATIONS: "expiration.>",
}
"""Where events are kept; each noun has one owner."""

SAFETY_NETS: Final = {
    DEAD_LETTERS: (f"{DEAD_LETTERS_SUBJECT}.>",),
    # What the broker itself says when it stops delivering a message; the subjects are fixed by the NATS server.
    ADVISORIES: (
        "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>",
        "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>",
    ),
}
"""Where that is kept which no consumer goes on with; every service sees to it that both exist."""
