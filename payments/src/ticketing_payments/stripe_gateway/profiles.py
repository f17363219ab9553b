"""What is sent beyond the necessary: Stripe's own parameters, or only those that the double knows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from stripe.params import PaymentIntentCancelParams, PaymentIntentConfirmParams, RefundCreateParams

__all__ = ["PROFILES", "Profile"]


@dataclass(frozen=True)
class Profile:
    """What is sent beyond the necessary, and whether a call may be repeated."""

    names_methods: bool
    confirm: PaymentIntentConfirmParams
    cancel: PaymentIntentCancelParams
    refund: RefundCreateParams
    may_repeat: bool


PROFILES: Final[Mapping[str, Profile]] = {
    "stripe": Profile(
        # The only kind that can be authorised now and captured later without the buyer leaving our page.
        names_methods=True,
        # The browser goes on with 3-D Secure in a dialog instead of leaving our page.
        confirm={"use_stripe_sdk": True},
        cancel={"cancellation_reason": "abandoned"},
        refund={"reason": "requested_by_customer"},
        may_repeat=True,
    ),
    # The double refuses parameters that it does not know, and has no idempotency keys that would make repeating safe.
    "localstripe": Profile(names_methods=False, confirm={}, cancel={}, refund={}, may_repeat=False),
}
