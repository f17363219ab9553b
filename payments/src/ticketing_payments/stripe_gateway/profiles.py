"""Optional request parameters: those of Stripe, or only those that the Stripe double accepts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from stripe.params import PaymentIntentCancelParams, PaymentIntentConfirmParams, RefundCreateParams


@dataclass(frozen=True)
class Profile:
    """The optional parameters of each call, and whether calls may be retried."""

    names_methods: bool
    confirm: PaymentIntentConfirmParams
    cancel: PaymentIntentCancelParams
    refund: RefundCreateParams
    may_repeat: bool


PROFILES: Final[Mapping[str, Profile]] = {
    "stripe": Profile(
        # Only cards can be authorised now and captured later while the buyer stays on our page.
        names_methods=True,
        # The browser shows 3-D Secure in a dialog and does not leave our page.
        confirm={"use_stripe_sdk": True},
        cancel={"cancellation_reason": "abandoned"},
        refund={"reason": "requested_by_customer"},
        may_repeat=True,
    ),
    # The double refuses unknown parameters. It has no idempotency keys, so retries would not be safe.
    "localstripe": Profile(names_methods=False, confirm={}, cancel={}, refund={}, may_repeat=False),
}
