"""The streams and their subjects: one per owner (see `topology`), and two for messages that no consumer handles."""

from typing import Final

from ticketing_common.topology import EXPIRATIONS, ORDERS, PAYMENTS, STREAM_SUBJECTS, TICKETS, USERS

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
    "USERS",
]

DEAD_LETTERS: Final = "DEAD_LETTERS"
ADVISORIES: Final = "ADVISORIES"

DEAD_LETTERS_SUBJECT: Final = "dead_letters"

SAFETY_NETS: Final = {
    DEAD_LETTERS: (f"{DEAD_LETTERS_SUBJECT}.>",),
    # What the broker itself says when it stops delivering a message; the subjects are fixed by the NATS server.
    ADVISORIES: (
        "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>",
        "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>",
    ),
}
"""Streams for undeliverable messages. Every service declares both."""
