"""A world for every test that asks for one, and what its parts need to be found."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

# Test modules are imported by path (--import-mode=importlib); what they share lies beside them.
sys.path.insert(0, str(Path(__file__).parent))

from world import World

from ticketing_common.delivery import consumer


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage in a test should be no outage of the tests; nothing but the waiting changes."""
    monkeypatch.setattr(consumer, "FETCH_SECONDS", 0.5)
    monkeypatch.setattr(consumer, "REBIND_SECONDS", 0.2)


@pytest.fixture
async def world(service_settings: dict[str, object], nats_url: str, short_waits: None) -> AsyncIterator[World]:
    """On a broker of this test's own, with the file store."""
    async with World.made(service_settings, nats_url=nats_url) as made:
        yield made
