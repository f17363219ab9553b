"""The settings that services read from the environment. Created in `create_app`, never on import."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class InternalTlsSettings(BaseSettings):
    """How the servers of the installation itself (MongoDB, NATS, Valkey) are verified."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    internal_ca_file: str = Field(
        default="",
        description="PEM file of the CA whose certificates MongoDB, NATS and Valkey must have; then they are reached "
        "over TLS only. Empty: as their addresses say",
    )


class NatsSettings(InternalTlsSettings):
    """The address of the event bus, and the durability of its streams."""

    nats_url: SecretStr = Field(
        description="address of the event bus: `nats://[user:password@]host:port`, several separated by commas"
    )
    nats_replicas: Annotated[int, Field(ge=1, le=5)] = Field(default=1, description="copies of each stream: 1 or 3")
    nats_makes_streams: bool = Field(
        default=True,
        description="create and update the streams at start; `false` where `ticketing streams apply` does it",
    )
    nats_lost_after_seconds: float = Field(default=15.0, gt=0, description="seconds without NATS until readiness fails")


class ServiceSettings(InternalTlsSettings):
    """Settings that all five services and their workers have.

    No secret has a default: a service without its configuration must not start.
    """

    service_name: str = Field(description="name in logs, metrics and consumers; also the database, unless that is set")

    mongo_url: SecretStr = Field(description="address of the service's MongoDB")
    mongo_database: str = Field(default="", description="name of its database there; empty: the name of the service")

    jwt_public_keys: list[str] = Field(
        description="Ed25519 public keys in PEM; several while keys rotate, any of them may verify a token"
    )
    jwt_issuer: str = Field(default="https://ticketing.dev", description="issuer that each token names")

    cookie_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")] = Field(
        default="session", description="name of the cookie with a browser's token; browsers share cookies between ports"
    )
    cookie_secure: bool = Field(
        default=True, description="send the cookie over HTTPS only, and then with the prefix `__Host-`"
    )
    cookie_host_prefix: bool = Field(
        default=True, description="false: auth sets the cookie without the prefix; all services read both"
    )
    allowed_origins: list[str] = Field(
        default=["https://ticketing.dev"], description="origins of pages that may write with the cookie"
    )

    otel_traces_exporter: Literal["none", "otlp", "console"] = Field(
        default="none", description="destination of traces; OpenTelemetry itself reads the other `OTEL_…` variables"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="lowest level that is logged"
    )
    overtake_wait_seconds: float = Field(
        default=2.0, ge=0, description="seconds that a request waits for an event that it overtook"
    )

    request_seconds: float = Field(
        default=30.0, gt=0, description="seconds for a request, then 503; not for event streams"
    )
    max_loop_lag_seconds: float = Field(
        default=1.0, ge=0, description="seconds of event loop delay above which requests get 503; 0: no limit"
    )
    max_streams: int = Field(
        default=2_000, ge=0, description="open event streams of a replica; the next is refused (503)"
    )
    max_streams_per_address: int = Field(
        default=200, ge=0, description="open event streams of one address, per replica (429); 0: no limit"
    )
    max_streams_per_user: int = Field(
        default=20, ge=0, description="open event streams of one account, per replica (429); 0: no limit"
    )
    max_stream_opens_per_minute: int = Field(
        default=600,
        ge=0,
        description="event streams that one address may open per minute and replica (429); 0: no limit",
    )
    gc_freeze: bool = Field(
        default=True,
        description="exclude objects that exist at start from garbage collection, which avoids its longest pauses",
    )
    stream_heartbeat_seconds: float = Field(
        default=15.0, gt=0, description="seconds of silence after which an event stream gets a comment"
    )

    @property
    def session_cookies(self) -> tuple[str, ...]:
        """Names under which the session token is read, in order of preference; auth sets the first.

        A browser takes a cookie named `__Host-…` only over HTTPS, for this host alone and for all paths (RFC 6265bis,
        section 4.1.3.2), so neither another host of the domain nor plain HTTP can plant one. The name without it is
        read as well: sessions that began before the prefix keep it until their next renewal.
        """
        if not self.cookie_secure:
            return (self.cookie_name,)
        names = (f"__Host-{self.cookie_name}", self.cookie_name)
        return names if self.cookie_host_prefix else names[::-1]

    @property
    def database_name(self) -> str:
        """The name of the service's own database."""
        return self.mongo_database or self.service_name


class TimerSettings(ServiceSettings):
    """The address of the timers that wake a worker."""

    redis_url: SecretStr = Field(
        description="`redis://[user:password@]host:port/database` of the timers; no installation may share it"
    )


class WorkerSettings(TimerSettings):
    """Settings of a worker process."""

    worker_health_host: str = Field(
        default="127.0.0.1", description="address on which the worker answers probes; `0.0.0.0` in a container"
    )
    worker_health_port: Annotated[int, Field(ge=1, le=65535)] = Field(
        default=8000, description="port of the worker's `/healthz`, `/readyz` and `/metrics`"
    )


class EventServiceSettings(ServiceSettings, NatsSettings):
    """Settings of the services that publish or consume events: all five."""
