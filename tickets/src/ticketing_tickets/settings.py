"""What the tickets service reads from its environment."""

from pydantic import Field

from ticketing_common.money import Currency
from ticketing_common.settings import EventServiceSettings

__all__ = ["Settings"]


class Settings(EventServiceSettings):
    """The common settings, and the one currency of this marketplace."""

    service_name: str = "tickets"
    currency: Currency = Field(default="usd", description="ISO 4217, lower case as Stripe writes it; two decimals only")
