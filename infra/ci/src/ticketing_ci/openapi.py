"""The OpenAPI documents of the public services, from their own applications.

`make docs` writes them into docs/openapi; the client's types are made from there. Needs .venv.
"""

import importlib
import json
import sys
from pathlib import Path

from fastapi import FastAPI

from ticketing_common.topology import SERVICES
from ticketing_testkit.apps import Identity, service_settings_for


def _services() -> dict[str, FastAPI]:
    """The application of each path segment below /api, created but not started, so without connections."""
    identity = Identity()
    nowhere = service_settings_for(
        mongo_url="mongodb://unused", database="unused", nats_url="nats://unused", identity=identity
    )
    # A service ignores the settings of the others.
    keys = {"jwt_key": identity.private_key_pem, "stripe_key": "unused", "stripe_webhook_secret": "unused"}
    own = {**keys, "redis_url": "redis://unused"}
    apps: dict[str, FastAPI] = {}
    for service in SERVICES.values():
        if service.path:
            settings = importlib.import_module(f"{service.package}.settings").Settings.model_validate(nowhere | own)
            apps[service.path] = importlib.import_module(f"{service.package}.app").create_app(settings)
    return apps


def openapi_documents() -> dict[str, str]:
    """File name to content, as in docs/openapi."""
    return {f"{name}.json": json.dumps(app.openapi(), indent=2) + "\n" for name, app in _services().items()}


if __name__ == "__main__":
    for file_name, text in openapi_documents().items():
        Path(sys.argv[1], file_name).write_text(text)
