"""What the expiration service and its worker read from their environment."""

from typing import Annotated

from pydantic import Field, SecretStr

from ticketing_common.settings import EventServiceSettings

__all__ = ["Settings"]


class Settings(EventServiceSettings):
    """The timers, and the health address of the worker."""

    service_name: str = "expiration"
    redis_url: SecretStr = Field(
        description="`redis://[user:password@]host:port/database` of the timers; no installation may share it"
    )
    worker_health_host: str = Field(
        default="127.0.0.1", description="address on which the worker answers probes; `0.0.0.0` in a container"
    )
    worker_health_port: Annotated[int, Field(ge=1, le=65535)] = Field(
        default=8000, description="port of the worker's `/healthz`, `/readyz` and `/metrics`"
    )
