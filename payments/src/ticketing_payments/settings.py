"""What the payments service reads from its environment."""

from typing import Literal

from pydantic import Field, SecretStr

from ticketing_common.settings import EventServiceSettings
from ticketing_common.web import RateLimit

__all__ = ["Settings"]


class Settings(EventServiceSettings):
    """Settings of the payments service."""

    service_name: str = "payments"

    stripe_key: SecretStr = Field(description="the secret key, sk_…")
    stripe_webhook_secret: SecretStr = Field(description="signs the webhooks, whsec_…")
    stripe_api_base: str | None = Field(default=None, description="another address than Stripe's own: a double")
    stripe_parameter_profile: Literal["stripe", "localstripe"] = Field(
        default="stripe", description="localstripe refuses parameters that it does not know"
    )
    stripe_timeout_seconds: float = Field(default=10.0, gt=0, description="for one try; then its outcome is unknown")
    stripe_repeat_seconds: float = Field(default=0.5, gt=0, description="before the first repeat; doubles, and chance")
    stripe_places: int = Field(default=48, gt=0, description="calls at once that somebody waits for")
    stripe_circuit_failures: int = Field(default=8, gt=0, description="so many tries in a row without an answer, and")
    stripe_circuit_seconds: float = Field(default=10.0, gt=0, description="for so long Stripe is not asked")

    reconcile_seconds: float = Field(default=5.0, gt=0, description="how often Stripe is asked about unsettled ones")

    rate_limit_payments: RateLimit = Field(
        default="60/minute",
        description="payments and refreshes per account and replica; `off` for load runs turns the next four off, too",
    )
    rate_limit_payments_address: RateLimit = Field(
        default="300/minute", description="the same per address and replica; or `off`"
    )
    rate_limit_payments_order: RateLimit = Field(
        default="10/minute", description="payments of one order, refreshes of one payment, per replica; or `off`"
    )
    rate_limit_declines: RateLimit = Field(
        default="10/hour", description="attempts of one account that come to nothing, over all replicas; or `off`"
    )
    rate_limit_declines_order: RateLimit = Field(
        default="5/hour", description="attempts to pay one order that come to nothing, over all replicas; or `off`"
    )
