"""Classifies Stripe's refusals by cause: the caller's payment method, or our request.

Stripe raises `InvalidRequestError` for both (https://docs.stripe.com/error-codes). Its text may quote our parameters,
so it is neither returned nor logged. Its `code` and `param` decide, and are logged.
"""

from typing import Final

import stripe

from ticketing_common.telemetry import get_logger
from ticketing_common.telemetry.metrics import STRIPE_REQUESTS_REFUSED, init_series

log = get_logger(__name__)

_METHOD_CODES: Final = frozenset(
    {
        "payment_method_currency_mismatch",
        "payment_method_customer_decline",
        "payment_method_invalid_parameter",
        "payment_method_not_available",
        "payment_method_provider_decline",
        "payment_method_unexpected_state",
        "payment_method_unsupported_type",
    }
)
_OURS: Final = (stripe.InvalidRequestError, stripe.AuthenticationError, stripe.PermissionError)
_ENDED_AUTHORIZATION: Final = frozenset({"capture_charge_authorization_expired", "charge_expired_for_capture"})


def blames_method(error: stripe.StripeError) -> bool:
    """Whether the caller's payment method is the cause."""
    return isinstance(error, stripe.InvalidRequestError) and (
        error.param == "payment_method" or error.code in _METHOD_CODES
    )


def ends_authorization(error: stripe.StripeError) -> bool:
    """Whether the authorisation can never be captured, because of the bank or its expiry and not of our request."""
    return isinstance(error, stripe.CardError) or error.code in _ENDED_AUTHORIZATION


def is_ours(error: stripe.StripeError) -> bool:
    """Whether Stripe refused our request or our key. A retry does not help."""
    return isinstance(error, _OURS) and not blames_method(error)


def init_refusal_series() -> None:
    """Initialise the series of each kind to 0, since an alert on the increase misses a series that starts at 1."""
    init_series(STRIPE_REQUESTS_REFUSED, *((kind.__name__,) for kind in _OURS))


def note_refusal(error: stripe.StripeError, about: str) -> None:
    """Log a refusal of our request, with names only, and count it for the alert."""
    STRIPE_REQUESTS_REFUSED.labels(type(error).__name__).inc()
    log.error(
        "stripe refuses our request",
        about=about,
        kind=type(error).__name__,
        status=error.http_status,
        code=error.code,
        param=getattr(error, "param", None),
        request_id=error.request_id,
    )
