"""The settings that the tickets service reads from its environment."""

from pydantic import Field

from ticketing_common.money import Currency
from ticketing_common.settings import EventServiceSettings
from ticketing_common.web import RateLimit


class Settings(EventServiceSettings):
    """The limits on listings, and the one currency of this marketplace."""

    service_name: str = "tickets"
    rate_limit_listings: RateLimit = Field(
        default="120/minute",
        description="listings created, changed or deleted per account and replica; `off`: no limit per address either",
    )
    rate_limit_listings_address: RateLimit = Field(
        default="600/minute", description="the same per address and replica; or `off`"
    )
    require_verified_sellers: bool = Field(
        default=False, description="only sellers who have confirmed their e-mail may create listings"
    )
    deleted_texts_days: int = Field(
        default=30, gt=0, description="title, description and venue of a deleted listing are removed after so many days"
    )
    currency: Currency = Field(
        default="usd",
        description="of tickets listed from now on: ISO 4217 in lower case, with two decimals (see `money.py`)",
    )
