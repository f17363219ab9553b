"""The service's rights at Valkey under the cluster's access list. The other tests here run as that user."""

import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from ticketing_testkit.servers import RedisServer


@pytest.mark.parametrize(
    "command",
    ["FLUSHALL", "CONFIG GET *", "EVAL return(1) 0", "ACL LIST", "KEYS *", "SHUTDOWN", "GET elsewhere", "SUBSCRIBE a"],
)
async def test_the_service_may_do_nothing_but_its_timers(service_redis_url: str, command: str) -> None:
    async with Redis.from_url(service_redis_url) as redis:
        with pytest.raises(NoPermissionError):
            await redis.execute_command(*command.split())


async def test_without_a_password_only_a_ping_is_answered(service_redis_url: str, redis_url: str) -> None:
    async with Redis.from_url(f"redis://{service_redis_url.partition('@')[2]}") as stranger:
        assert await stranger.ping()
        with pytest.raises(NoPermissionError):
            await stranger.get("expiration")
    async with Redis.from_url(redis_url) as redis:
        # Protected mode refuses every address but loopback, which the test uses.
        assert await redis.config_get("protected-mode") == {"protected-mode": "no"}


async def test_a_volume_that_a_newer_redis_wrote_does_not_stop_valkey(redis_server: RedisServer) -> None:
    redis_server.kill()
    folder = redis_server.directory / "appendonlydir"
    folder.mkdir()
    (folder / "appendonly.aof.1.base.rdb").write_bytes(b"REDIS0012")
    (folder / "appendonly.aof.manifest").write_text("file appendonly.aof.1.base.rdb seq 1 type b\n")
    (redis_server.directory / "dump.rdb").write_bytes(b"REDIS0012")

    redis_server.start()

    async with Redis.from_url(redis_server.url) as redis:
        assert await redis.dbsize() == 0
