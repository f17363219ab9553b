"""What the orders service reads from its environment."""

from pydantic import Field

from ticketing_common.settings import EventServiceSettings
from ticketing_common.web import RateLimit

__all__ = ["Settings"]


class Settings(EventServiceSettings):
    """Settings of the orders service."""

    service_name: str = "orders"

    reservation_window_seconds: int = Field(default=900, gt=0, description="how long an unpaid order holds its ticket")
    rate_limit_holds: RateLimit = Field(
        default="30/minute", description="new orders per user and replica; `off` for load runs turns the next off, too"
    )
    rate_limit_holds_address: RateLimit = Field(
        default="300/minute", description="new orders per address and replica; or `off`"
    )
