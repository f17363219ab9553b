"""The OpenAPI documents of the four public services, from their own applications.

`make docs` writes them into docs/openapi; the client's types are made from there. Needs .venv.
"""

import json
import sys
from pathlib import Path

from fastapi import FastAPI

import ticketing_auth.app
import ticketing_auth.settings
import ticketing_orders.app
import ticketing_orders.settings
import ticketing_payments.app
import ticketing_payments.settings
import ticketing_tickets.app
import ticketing_tickets.settings
from ticketing_testkit.apps import Identity, service_settings_for

__all__ = ["openapi_documents"]


def _services() -> dict[str, FastAPI]:
    """Path segment below /api to its service, built but not started: it connects to nothing."""
    identity = Identity()
    nowhere = service_settings_for(
        mongo_url="mongodb://unused", database="unused", nats_url="nats://unused", identity=identity
    )
    auth = nowhere | {"jwt_key": identity.private_key_pem}
    payments = nowhere | {"stripe_key": "unused", "stripe_webhook_secret": "unused"}
    return {
        "users": ticketing_auth.app.create_app(ticketing_auth.settings.Settings.model_validate(auth)),
        "tickets": ticketing_tickets.app.create_app(ticketing_tickets.settings.Settings.model_validate(nowhere)),
        "orders": ticketing_orders.app.create_app(ticketing_orders.settings.Settings.model_validate(nowhere)),
        "payments": ticketing_payments.app.create_app(ticketing_payments.settings.Settings.model_validate(payments)),
    }


def openapi_documents() -> dict[str, str]:
    """File name to content, as in docs/openapi."""
    return {f"{name}.json": json.dumps(app.openapi(), indent=2) + "\n" for name, app in _services().items()}


if __name__ == "__main__":
    for file_name, text in openapi_documents().items():
        Path(sys.argv[1], file_name).write_text(text)
