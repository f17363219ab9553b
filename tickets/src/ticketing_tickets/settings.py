"""What the tickets service reads from its environment."""

from typing import Annotated

from pydantic import Field

from ticketing_common.settings import EventServiceSettings
from ticketing_common.web import RateLimit

__all__ = ["Settings"]


class Settings(EventServiceSettings):
    """The common settings, and the one currency of this marketplace."""

    service_name: str = "tickets"
    rate_limit_listings: RateLimit = Field(
        default="30/minute",
        description="listings made, changed or deleted per account and replica; `off` turns the next one off, too",
    )
    rate_limit_listings_address: RateLimit = Field(
        default="300/minute", description="the same per address and replica; or `off`"
    )
    currency: Annotated[str, Field(pattern=r"^[a-z]{3}$", description="ISO 4217, lower case as Stripe writes it")] = (
        "usd"
    )
