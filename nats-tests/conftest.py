"""The fixture `system`, and the import path of the shared modules."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

# Test modules are imported by path (--import-mode=importlib); the shared modules are in the same folder.
sys.path.insert(0, str(Path(__file__).parent))

from event_system import EventSystem

from ticketing_common.delivery import consumer


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the delays after an outage, so that tests stay fast; nothing else changes."""
    monkeypatch.setattr(consumer, "FETCH_SECONDS", 0.5)
    monkeypatch.setattr(consumer, "REBIND_SECONDS", 0.2)


@pytest.fixture
async def system(service_settings: dict[str, object], nats_url: str, short_waits: None) -> AsyncIterator[EventSystem]:
    """A system on a broker of this test's own, with the file store."""
    async with EventSystem.made(service_settings, nats_url=nats_url) as made:
        yield made
