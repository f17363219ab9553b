"""Fixtures: the overlays, rendered once per run."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from .cluster_bus import clients
from .rendering import render

__all__ = ["clients"]

INFRA = Path(__file__).resolve().parents[2]


@cache
def _rendered(overlay: str) -> list[dict[str, Any]]:
    return render(INFRA / overlay)


@pytest.fixture(params=["k8s", "k8s-dev", "k8s-prod"])
def overlay(request: pytest.FixtureRequest) -> str:
    """The folder of each overlay."""
    return str(request.param)


@pytest.fixture
def manifests(overlay: str) -> list[dict[str, Any]]:
    """Its objects."""
    return _rendered(overlay)


@pytest.fixture
def production() -> list[dict[str, Any]]:
    """The overlay from which the broken copies are made, because it has all parts."""
    return _rendered("k8s-prod")
