"""docs/request-path.md names the steps of a hold in the order of the code."""

import re
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from ticketing_orders.app import create_app
from ticketing_orders.routes import create_order, router
from ticketing_orders.settings import Settings
from ticketing_testkit.apps import Identity, service_settings_for

pytestmark = pytest.mark.unit

PAGE = Path(__file__).parents[2] / "docs" / "request-path.md"


def named(heading: str) -> list[str]:
    """The names in the first column of a section's table."""
    section = PAGE.read_text().split(f"\n## {heading}")[1].split("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)


def test_every_layer_around_a_hold_is_named_in_its_order(identity: Identity) -> None:
    needed = service_settings_for(mongo_url="mongodb://unused", database="unused", nats_url="x", identity=identity)
    app = create_app(Settings.model_validate(needed))
    assert named("Every request") == [getattr(layer.cls, "__name__", "") for layer in app.user_middleware]


def test_every_step_at_the_route_is_named_in_its_order() -> None:
    (route,) = (one for one in router.routes if isinstance(one, APIRoute) and one.endpoint is create_order)
    wrappers = [wrapper.__module__.rpartition(".")[2] for wrapper in reversed(vars(create_order)["route_wrappers"])]
    dependencies = [one.dependency.__name__ for one in route.dependencies if one.dependency]
    assert wrappers == ["early_refusal", "idempotency"]
    assert named("One route") == ["refused_early", "idempotent", *dependencies, "create_order"]
