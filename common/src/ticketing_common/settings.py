"""What every service reads from its environment, and nothing else; built in `create_app`, never on import."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["EventServiceSettings", "NatsSettings", "ServiceSettings"]


class NatsSettings(BaseSettings):
    """Where the event bus is and how durable its streams are."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    nats_url: SecretStr = Field(description="nats://[user:password@]host:port, several separated by commas")
    nats_replicas: Annotated[int, Field(ge=1, le=5)] = Field(default=1, description="copies of each stream: 1 or 3")
    nats_makes_streams: bool = Field(
        default=True, description="create and update the streams; false where `ticketing streams apply` does it"
    )
    nats_lost_after_seconds: float = Field(default=15.0, gt=0, description="readiness fails when NATS is away longer")


class ServiceSettings(BaseSettings):
    """Settings that all five services have.

    No secret has a default: a service without its configuration must not start.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    service_name: str

    mongo_url: SecretStr
    mongo_database: str = Field(default="", description="the service's own database; its name when empty")

    jwt_public_keys: list[str] = Field(description="PEM; several while keys rotate, any of them may verify")
    jwt_issuer: str = "https://ticketing.dev"

    cookie_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")] = "session"
    cookie_secure: bool = Field(default=True, description="over HTTPS only, and then with the prefix `__Host-`")
    cookie_host_prefix: bool = Field(
        default=True, description="false: auth sets the cookie without the prefix; all services read both"
    )
    allowed_origins: list[str] = Field(default=["https://ticketing.dev"], description="may send the cookie and write")

    otel_traces_exporter: Literal["none", "otlp", "console"] = Field(
        default="none", description="where traces go; the other OTEL_… variables are read by OpenTelemetry itself"
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    overtake_wait_seconds: float = Field(
        default=2.0, ge=0, description="how long a request waits for the event that it overtook"
    )

    request_seconds: float = Field(default=30.0, gt=0, description="for a request; then it is given up (streams not)")
    max_loop_lag_seconds: float = Field(
        default=1.0, ge=0, description="requests are refused while the event loop is later than this; 0: never"
    )
    max_streams: int = Field(default=2_000, ge=0, description="open event streams; the next is refused")
    max_streams_per_address: int = Field(default=200, ge=0, description="of those, for one address; 0: no limit")
    max_streams_per_user: int = Field(default=20, ge=0, description="of those, for one account; 0: no limit")
    max_stream_opens_per_minute: int = Field(
        default=600, ge=0, description="event streams that one address may open in a minute; 0: no limit"
    )
    gc_freeze: bool = Field(
        default=True, description="spare the garbage collector what is there at the start: its longest pauses are gone"
    )
    stream_heartbeat_seconds: float = Field(default=15.0, gt=0, description="a silent stream shows so that it lives")

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


class EventServiceSettings(ServiceSettings, NatsSettings):
    """Settings of the services that tell and hear events: all but auth."""
