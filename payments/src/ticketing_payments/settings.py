"""What the payments service reads from its environment."""

from typing import Literal

from pydantic import Field, SecretStr

from ticketing_common.settings import EventServiceSettings
from ticketing_common.web import RateLimit


class Settings(EventServiceSettings):
    """Settings of the payments service."""

    service_name: str = "payments"

    stripe_key: SecretStr = Field(description="Stripe's secret key, `sk_…`")
    stripe_webhook_secret: SecretStr = Field(description="signing secret of Stripe's webhooks, `whsec_…`")
    stripe_api_base: str | None = Field(default=None, description="address of a Stripe double; empty: Stripe")
    stripe_parameter_profile: Literal["stripe", "localstripe"] = Field(
        default="stripe", description="`localstripe` omits the parameters that the double refuses, and repeats no call"
    )
    stripe_timeout_seconds: float = Field(
        default=10.0, gt=0, description="seconds for one attempt of a call; then its outcome is unknown"
    )
    stripe_repeat_seconds: float = Field(
        default=0.5, gt=0, description="seconds before the first retry; doubles, with jitter"
    )
    stripe_places: int = Field(default=48, gt=0, description="concurrent calls on behalf of requests")
    stripe_circuit_failures: int = Field(
        default=8, gt=0, description="attempts in a row without an answer that open the circuit breaker"
    )
    stripe_circuit_seconds: float = Field(
        default=10.0, gt=0, description="seconds that the open circuit breaker refuses calls"
    )

    reconcile_seconds: float = Field(default=5.0, gt=0, description="seconds between two runs of the reconciler")

    rate_limit_payments: RateLimit = Field(
        default="60/minute",
        description="payments and refreshes per account and replica; `off` (load runs): no limit on payments at all",
    )
    rate_limit_payments_address: RateLimit = Field(
        default="300/minute", description="the same per address and replica; or `off`"
    )
    rate_limit_payments_order: RateLimit = Field(
        default="10/minute", description="payments of one order, refreshes of one payment, per replica; or `off`"
    )
    rate_limit_declines: RateLimit = Field(
        default="10/hour", description="failed attempts of one account, over all replicas; or `off`"
    )
    rate_limit_declines_order: RateLimit = Field(
        default="5/hour", description="failed attempts to pay one order, over all replicas; or `off`"
    )
