"""Settings of the expiration service and its worker, read from the environment."""

from typing import Annotated

from pydantic import Field, SecretStr

from ticketing_common.settings import EventServiceSettings


class Settings(EventServiceSettings):
    """Settings of the timers and of the worker's health endpoint."""

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
