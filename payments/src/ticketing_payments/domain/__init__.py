"""A payment: what Stripe said last, what that makes of it, and what must be done next."""

from .intents import OPEN_STATES, Decline, Intent, IntentState, StripeEvent
from .payment import ACTIVE_STATUSES, OLD_NEWS, TRANSITIONS, VAIN_STATUSES, Payment
from .steps import Step, check_payable, next_step

__all__ = [
    "ACTIVE_STATUSES",
    "OLD_NEWS",
    "OPEN_STATES",
    "TRANSITIONS",
    "VAIN_STATUSES",
    "Decline",
    "Intent",
    "IntentState",
    "Payment",
    "Step",
    "StripeEvent",
    "check_payable",
    "next_step",
]
