"""The settings that the orders service reads from its environment."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from ticketing_common.settings import EventServiceSettings
from ticketing_common.web import RateLimit


class Settings(EventServiceSettings):
    """Settings of the orders service."""

    service_name: str = "orders"

    pass_key: SecretStr = Field(description="Ed25519 private key, PEM; signs the codes of passes")
    pass_public_keys: list[str] = Field(
        default=[],
        description="further Ed25519 public keys, PEM, that verify passes: of the earlier and the next `PASS_KEY`",
    )
    reservation_window_seconds: int = Field(
        default=900, gt=0, description="seconds that an unpaid order holds its ticket"
    )
    records_days: int = Field(
        default=3_650,
        ge=540,
        description="the record of a sale names its buyer for so many days after its end, or after the event; a "
        "dispute may come 540 days after the payment",
    )
    unpaid_orders_days: int = Field(
        default=90, ge=7, description="the same for orders that never were paid, after their end"
    )
    rate_limit_holds: RateLimit = Field(
        default="30/minute",
        description="attempts to hold a ticket, per account and replica; `off` (load runs): no limit on holds at all",
    )
    rate_limit_holds_address: RateLimit = Field(
        default="300/minute", description="the same per address and replica; or `off`"
    )
    rate_limit_open_holds: Literal["off"] | Annotated[int, Field(gt=0, le=1_000)] = Field(
        default=10, description="unpaid orders of one account at a time, over all replicas; or `off`"
    )
    rate_limit_reholds: RateLimit = Field(
        default="4/6hours", description="unpaid holds of one ticket by one account, over all replicas; or `off`"
    )
