"""`ticketing audit`: reads all five databases, JetStream and Stripe, and names every broken invariant.

`invariants.INVARIANTS` is the table of the invariants with meaning and repair; `ticketing audit --list` prints it.
The audit only reads.
"""

from .addresses import AuditAddresses, MissingAddressError
from .examination import Report, audit
from .invariants import INVARIANTS, Invariant, Violation
from .unreadable import UnreadableError

__all__ = [
    "INVARIANTS",
    "AuditAddresses",
    "Invariant",
    "MissingAddressError",
    "Report",
    "UnreadableError",
    "Violation",
    "audit",
]
