"""What the expiration service and its worker read from their environment."""

from typing import Annotated

from pydantic import Field, SecretStr

from ticketing_common.settings import EventServiceSettings

__all__ = ["Settings"]


class Settings(EventServiceSettings):
    """The common settings, where the timers are, and where the worker answers for its health."""

    service_name: str = "expiration"
    redis_url: SecretStr = Field(description="redis://[user:password@]host:port/database")
    worker_health_host: str = Field(default="127.0.0.1", description="0.0.0.0 in a container, for its probes")
    worker_health_port: Annotated[int, Field(ge=1, le=65535)] = Field(
        default=8000, description="/healthz, /readyz and /metrics of the worker process"
    )
