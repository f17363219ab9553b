"""The environment of each process of the product: what all have, and what one has alone."""

import json
import os
from collections.abc import Mapping
from typing import Final

from .keys import Keys
from .services import WORKERS

PASSED_THROUGH: Final = (
    "RATE_LIMIT_",
    "RESERVATION_WINDOW_SECONDS",
    "STRIPE_CIRCUIT_",
    "RECONCILE_SECONDS",
    "LOG_LEVEL",
    "OTEL_",
)


def common_environment(
    keys: Keys, servers: Mapping[str, str], port: int, *, client: bool, own: Mapping[str, str]
) -> dict[str, str]:
    """The environment of all processes; `port` is the public port, which no other stack has, `own` an option."""
    origins = [f"http://{host}:{port}" for host in ("localhost", "127.0.0.1") if client]
    return {
        **{name: value for name, value in os.environ.items() if name.startswith(PASSED_THROUGH)},
        **own,
        "MONGO_URL": servers["mongo"],
        "NATS_URL": servers["nats"],
        "JWT_PUBLIC_KEYS": json.dumps([keys.jwt_public]),
        # A cookie belongs to a host, not to a port (RFC 6265, 8.5): with one name for all stacks, signing in to one
        # would replace the session of another.
        "COOKIE_NAME": f"session_{port}",
        "COOKIE_SECURE": "false",
        "ALLOWED_ORIGINS": json.dumps(origins),
    }


def service_environment(service: str, keys: Keys, servers: Mapping[str, str]) -> dict[str, str]:
    """The environment of this service alone: its database, and only its own secrets."""
    own = {"MONGO_DATABASE": service}
    if service == "auth":
        own["JWT_KEY"] = keys.jwt_private
        own["SECOND_FACTOR_KEYS"] = json.dumps([keys.second_factor])
    if service == "orders":
        own["PASS_KEY"] = keys.pass_private
    if service in ("auth", "expiration"):
        own["REDIS_URL"] = servers["redis"]
    if service == "payments":
        own["STRIPE_API_BASE"] = servers["stripe"]
        own["STRIPE_KEY"] = os.environ.get("STRIPE_KEY", keys.stripe_key)
        own["STRIPE_WEBHOOK_SECRET"] = os.environ.get("STRIPE_WEBHOOK_SECRET", keys.stripe_webhook_secret)
        if "STRIPE_API_BASE" not in os.environ:
            own["STRIPE_PARAMETER_PROFILE"] = "localstripe"
    return own


def worker_environment(name: str, port: int, servers: Mapping[str, str], site: str) -> dict[str, str]:
    """The environment of a worker alone: its service's database, and no key; `site` is where links in mails go."""
    service, _ = WORKERS[name]
    own = {"MONGO_DATABASE": service, "REDIS_URL": servers["redis"], "WORKER_HEALTH_PORT": str(port)}
    if name == "mail":
        tls = os.environ.get("SMTP_TLS", "required" if "SMTP_URL" in os.environ else "off")
        sender = os.environ.get("MAIL_FROM", "Ticketing <no-reply@ticketing.test>")
        own |= {"SMTP_URL": servers["smtp"], "SMTP_TLS": tls, "MAIL_FROM": sender, "PUBLIC_URL": site}
    return own
