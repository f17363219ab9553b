from ticketing_expiration.app import create_app
from ticketing_expiration.settings import Settings
from ticketing_testkit.apps import Bus, run_app
from ticketing_testkit.servers import RedisServer


async def test_the_service_has_no_public_route(settings: Settings, bus: Bus) -> None:
    async with run_app(create_app(settings)) as client:
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).json() == {"status": "ready"}
        assert "outbox_pending" in (await client.get("/metrics")).text
        for path in ("/", "/openapi.json", "/docs", "/api/expirations", "/api/expiration/openapi.json"):
            assert (await client.get(path)).status_code == 404


async def test_the_service_starts_and_becomes_ready_without_redis(
    settings: Settings, bus: Bus, redis_server: RedisServer
) -> None:
    redis_server.kill()

    async with run_app(create_app(settings)) as client:
        assert (await client.get("/readyz")).status_code == 200
