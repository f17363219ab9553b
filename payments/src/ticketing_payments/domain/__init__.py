"""A payment: Stripe's latest state of it, its own status, and the next step."""

from .intents import MONEY_BACK, OPEN_STATES, Decline, Intent, IntentState, StripeEvent
from .payment import (
    ACTIVE_STATUSES,
    METHOD_REFUSED,
    OUR_FAULT,
    OUTDATED_EVENT_STATUSES,
    TRANSITIONS,
    UNSUCCESSFUL_STATUSES,
    Payment,
)
from .steps import Step, check_payable, next_step

__all__ = [
    "ACTIVE_STATUSES",
    "METHOD_REFUSED",
    "MONEY_BACK",
    "OPEN_STATES",
    "OUR_FAULT",
    "OUTDATED_EVENT_STATUSES",
    "TRANSITIONS",
    "UNSUCCESSFUL_STATUSES",
    "Decline",
    "Intent",
    "IntentState",
    "Payment",
    "Step",
    "StripeEvent",
    "check_payable",
    "next_step",
]
