"""Settings of the auth service and of its mail worker, read from the environment."""

from email.utils import parseaddr
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, SecretStr

from ticketing_common import settings
from ticketing_common.web import RateLimit, quota

MAIL_QUEUE: Final = "mail"
"""The queue of the timers that wake the mail worker."""

FEWEST_GUESSES: Final = 10
"""A known device has a tenth of the limit, so a lower limit would leave it no guess."""


def _enough_guesses(limit: str) -> str:
    parsed = quota(limit)
    if parsed is not None and parsed.amount < FEWEST_GUESSES:
        raise ValueError(f"fewer than {FEWEST_GUESSES} wrong passwords leave nothing for known devices")
    return limit


def _with_address(sender: str) -> str:
    if "@" not in parseaddr(sender)[1]:
        raise ValueError("not an address, or a name with an address: `Ticketing <no-reply@ticketing.dev>`")
    return sender


class WorkerSettings(settings.WorkerSettings):
    """Settings of the mail worker. It has no key, and no event bus."""

    service_name: str = "auth"

    smtp_url: SecretStr = Field(
        description="`smtp://[user:password@]host[:port]` (STARTTLS), or `smtps://…` (TLS from the start)"
    )
    smtp_tls: Literal["required", "off"] = Field(
        default="required", description="`off` permits `smtp://` without TLS, and then no password"
    )
    mail_from: Annotated[str, AfterValidator(_with_address)] = Field(
        description="the sender, `Ticketing <no-reply@ticketing.dev>`"
    )
    public_url: Annotated[str, Field(pattern=r"^https?://[^/?#]+/?$")] = Field(
        default="https://ticketing.dev", description="origin of the links in mails"
    )
    mail_connections: Annotated[int, Field(ge=1, le=50)] = Field(
        default=4, description="connections to the mail server at a time"
    )


class Settings(settings.EventServiceSettings, settings.TimerSettings):
    """Settings of the auth service."""

    service_name: str = "auth"

    jwt_key: SecretStr = Field(description="Ed25519 private key, PEM; its public half is one of JWT_PUBLIC_KEYS")
    second_factor_keys: list[SecretStr] = Field(
        min_length=1,
        description="keys of 32 bytes, each in base64; the first encrypts the secrets of second factors, all decrypt",
    )
    session_minutes: Annotated[int, Field(gt=0)] = Field(
        default=30, description="minutes that a token and its cookie are valid"
    )

    password_threads: int = Field(
        default=2, gt=0, description="passwords hashed at once, 19 MiB each; no more than there are cores"
    )
    password_queue: int = Field(
        default=64, ge=0, description="passwords that may wait for a thread, some 25 ms each; the next is refused (503)"
    )

    pwned_passwords_url: Annotated[
        str, Field(pattern=r"^(https://\S+/|http://(127\.0\.0\.1|localhost)(:\d+)?/\S*)?$")
    ] = Field(
        default="",
        description="range API that knows leaked passwords, `https://api.pwnedpasswords.com/range/`; empty: new "
        "passwords are compared with the built-in list only",
    )

    rate_limit_signup: RateLimit = Field(
        default="100/hour", description="accounts created per address and replica; or `off`"
    )
    rate_limit_signin: RateLimit = Field(
        default="10/minute",
        description="sign-ins per e-mail, address and replica; `off`: no limit per address alone either",
    )
    rate_limit_guesses: Annotated[RateLimit, AfterValidator(_enough_guesses)] = Field(
        default="100/hour",
        description="wrong passwords per account over all replicas, 10 at least; a fifth for known devices; or `off`",
    )
    rate_limit_codes: RateLimit = Field(
        default="20/day",
        description="wrong codes of a second factor per account over all replicas, as many again from known devices; "
        "or `off`",
    )
    rate_limit_signin_address: RateLimit = Field(
        default="100/minute", description="sign-ins per address and replica; or `off`"
    )
    rate_limit_mails: RateLimit = Field(
        default="5/hour",
        description="mails to confirm the e-mail, and mails to reset the password, per e-mail and replica; or `off`",
    )
    rate_limit_mails_address: RateLimit = Field(
        default="50/hour", description="the same per address and replica; or `off`"
    )
