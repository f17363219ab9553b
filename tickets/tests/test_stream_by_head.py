"""HEAD of a stream."""

import asyncio

from prometheus_client import REGISTRY

from ticketing_testkit.apps import Bus, serve_app
from ticketing_testkit.waiting import until
from ticketing_tickets.app import create_app
from ticketing_tickets.settings import Settings


async def test_a_head_request_of_a_stream_opens_none(service_settings: dict[str, object], bus: Bus) -> None:
    settings = Settings.model_validate(service_settings | {"max_streams": 2})
    async with serve_app(create_app(settings)) as client, asyncio.timeout(60):
        for _ in range(10):  # five times as many as may be open
            answer = await client.head("/api/tickets/stream")
            assert (answer.status_code, answer.content) == (200, b"")
            assert answer.headers["Content-Type"].startswith("text/event-stream")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            await until(lambda: not REGISTRY.get_sample_value("live_streams", {"service": "tickets"}))
