"""Generates docs/settings.md, the environment variables of each service, from the settings classes.

`make docs` writes it. Needs .venv.
"""

import importlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from ticketing_common.money import Currency
from ticketing_common.settings import EventServiceSettings, NatsSettings, ServiceSettings
from ticketing_common.topology import SERVICES
from ticketing_common.web import RateLimit

HEAD: Final = """\
# Settings

Made by `make docs` from the settings classes; edit those. A service reads its settings from environment variables at
start, and does not start when one is missing or wrong. Secrets have no default. A rate is a number per period:
`10/minute`, `4/6hours`. The client's variables are in [its README](../client/README.md). uvicorn reads variables of its
own: `FORWARDED_ALLOW_IPS`, the trusted proxies, and `UVICORN_SSL_CERTFILE` with `UVICORN_SSL_KEYFILE`, PEM files with
which a service or worker speaks HTTPS only; changed files are read again.
"""
TABLE: Final = ("| variable | type | default | meaning |", "| --- | --- | --- | --- |")
TYPES: Final[dict[object, str]] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "`true`, `false`",
    list[str]: "JSON list",
    SecretStr: "secret",
    list[SecretStr]: "JSON list of secrets",
    type(None): "",
}
NAMED: Final = {get_args(RateLimit)[1]: "rate", get_args(Currency)[1]: "currency code"}
BOUNDS: Final = {"ge": "≥ {}", "gt": "> {}", "le": "≤ {}", "lt": "< {}"}


def settings_page() -> str:
    """The whole page."""
    common = EventServiceSettings.model_fields
    parts = [
        HEAD,
        _section("Every service", ServiceSettings.model_fields.items()),
        _section(f"Event bus: {', '.join(SERVICES)}", NatsSettings.model_fields.items()),
    ]
    for service in SERVICES.values():
        fields = importlib.import_module(f"{service.package}.settings").Settings.model_fields
        parts.append(_section(service.name, [(name, field) for name, field in fields.items() if name not in common]))
    worker = importlib.import_module("ticketing_auth.settings").WorkerSettings.model_fields
    parts.append(
        _section("Mail worker of auth", [(name, field) for name, field in worker.items() if name not in common])
    )
    return "\n".join(parts)


def _section(title: str, fields: Iterable[tuple[str, FieldInfo]]) -> str:
    cells = (
        (f"`{name.upper()}`", _type(field.annotation, field.metadata), _default(name, field), str(field.description))
        for name, field in fields
    )
    return "\n".join((f"## {title}", "", *TABLE, *(f"| {' | '.join(row)} |" for row in cells), ""))


def _type(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    metadata = tuple(metadata)
    for mark in metadata:
        if mark in NAMED:
            return NAMED[mark]
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *marks = get_args(annotation)
        return _type(
            inner, [one for mark in marks for one in (mark.metadata if isinstance(mark, FieldInfo) else [mark])]
        )
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if origin in (Union, UnionType):
        return " or ".join(filter(None, map(_type, get_args(annotation))))
    bounds = [
        text.format(f"{getattr(mark, name):,}")
        for mark in metadata
        for name, text in BOUNDS.items()
        if getattr(mark, name, None) is not None
    ]
    return ", ".join((TYPES[annotation], *bounds))


def _default(name: str, field: FieldInfo) -> str:
    if name == "service_name":
        return "the service"
    if field.is_required():
        return "required"
    if field.default in (None, ""):
        return "empty"
    return f"`{field.default if isinstance(field.default, str) else json.dumps(field.default)}`"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(settings_page())
