"""What the auth service reads from its environment."""

from typing import Annotated, Final

from pydantic import AfterValidator, Field, SecretStr

from ticketing_common.settings import ServiceSettings
from ticketing_common.web import RateLimit, quota

__all__ = ["Settings"]

FEWEST_GUESSES: Final = 10
"""A known device has a tenth of them."""


def _enough_guesses(limit: str) -> str:
    parsed = quota(limit)
    if parsed is not None and parsed.amount < FEWEST_GUESSES:
        raise ValueError(f"fewer than {FEWEST_GUESSES} wrong passwords leave nothing for known devices")
    return limit


class Settings(ServiceSettings):
    """Settings of the auth service; it has no event bus."""

    service_name: str = "auth"

    jwt_key: SecretStr = Field(description="Ed25519 private key, PEM; its public half is one of JWT_PUBLIC_KEYS")
    session_minutes: Annotated[int, Field(gt=0)] = Field(default=30, description="how long a token is good for")
    session_days: Annotated[int, Field(gt=0)] = Field(
        default=7, description="how long after the password was given a session is renewed"
    )

    device_days: Annotated[int, Field(gt=0, le=400)] = Field(
        default=180, description="how long after its last sign-in a browser is known to an account"
    )

    password_threads: int = Field(default=2, gt=0, description="hash at once; 19 MiB each, more than cores only cost")
    password_queue: int = Field(default=64, ge=0, description="wait for a thread; the next one is asked to come again")

    rate_limit_signup: RateLimit = Field(default="100/hour", description="per address and replica; or `off`")
    rate_limit_signin: RateLimit = Field(
        default="10/minute", description="per e-mail, address and replica; `off` turns the next one off, too"
    )
    rate_limit_guesses: Annotated[RateLimit, AfterValidator(_enough_guesses)] = Field(
        default="100/hour",
        description="wrong passwords per account over all replicas, 10 at least; a fifth for known devices; or `off`",
    )
    rate_limit_signin_address: RateLimit = Field(default="100/minute", description="per address and replica; or `off`")
