"""What the tickets service reads from its environment."""

from typing import Annotated

from pydantic import Field

from ticketing_common.settings import EventServiceSettings

__all__ = ["Settings"]


class Settings(EventServiceSettings):
    """The common settings, and the one currency of this marketplace."""

    service_name: str = "tickets"
    currency: Annotated[str, Field(pattern=r"^[a-z]{3}$", description="ISO 4217, lower case as Stripe writes it")] = (
        "usd"
    )
