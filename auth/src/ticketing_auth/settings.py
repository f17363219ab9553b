"""What the auth service reads from its environment."""

from typing import Annotated

from pydantic import Field, SecretStr

from ticketing_common.settings import ServiceSettings
from ticketing_common.web import RateLimit

__all__ = ["Settings"]


class Settings(ServiceSettings):
    """Settings of the auth service; it has no event bus."""

    service_name: str = "auth"

    jwt_key: SecretStr = Field(description="Ed25519 private key, PEM; its public half is one of JWT_PUBLIC_KEYS")
    session_minutes: Annotated[int, Field(gt=0)] = Field(default=30, description="how long a token is good for")
    session_days: Annotated[int, Field(gt=0)] = Field(
        default=7, description="how long after the password was given a session is renewed"
    )

    password_threads: int = Field(default=2, gt=0, description="hash at once; 19 MiB each, more than cores only cost")
    password_queue: int = Field(default=64, ge=0, description="wait for a thread; the next one is asked to come again")

    rate_limit_signup: RateLimit = Field(default="100/hour", description="per address and replica; or `off`")
    rate_limit_signin: RateLimit = Field(
        default="10/minute", description="per e-mail, address and replica; `off` turns the next one off, too"
    )
    rate_limit_signin_address: RateLimit = Field(default="100/minute", description="per address and replica; or `off`")
