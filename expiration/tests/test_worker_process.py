import asyncio
import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from ticketing_common.events import ExpirationCompleted
from ticketing_expiration.repository import DeadlineRepository
from ticketing_expiration.settings import Settings
from ticketing_testkit.apps import Bus
from ticketing_testkit.servers import ServerProcess
from ticketing_testkit.waiting import until

from .conftest import arm, hold, released


class WorkerProcess(ServerProcess):
    """The worker in its own process, as in production."""

    name = "worker"

    def __init__(self, directory: Path, settings: Settings) -> None:
        super().__init__(directory)
        self._settings = settings

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "ticketing_expiration.worker"]

    def environment(self) -> Mapping[str, str]:
        return {
            "MONGO_URL": self._settings.mongo_url.get_secret_value(),
            "MONGO_DATABASE": self._settings.mongo_database,
            "NATS_URL": self._settings.nats_url.get_secret_value(),
            "REDIS_URL": self._settings.redis_url.get_secret_value(),
            "JWT_PUBLIC_KEYS": "[]",
            "WORKER_HEALTH_PORT": str(self.port),
        }

    def is_ready(self) -> bool:
        try:
            return self.get("/readyz") == 200
        except urllib.error.HTTPError:
            return False

    def get(self, path: str) -> int:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:
            return int(answer.status)


@pytest.fixture
def worker_process(tmp_path: Path, settings: Settings) -> Iterator[WorkerProcess]:
    process = WorkerProcess(tmp_path / "worker", settings)
    yield process
    process.stop()


async def test_the_worker_is_a_process_with_health_that_ends_gracefully(
    worker_process: WorkerProcess, bus: Bus, deadlines: DeadlineRepository
) -> None:
    held = await hold(deadlines, due_in=-1)
    await asyncio.to_thread(worker_process.start)
    await bus.expect(ExpirationCompleted, lambda event: event.data.order_id == held.id)
    assert await asyncio.to_thread(worker_process.get, "/healthz") == 200
    assert await asyncio.to_thread(worker_process.get, "/metrics") == 200
    pid = worker_process.pid
    assert pid is not None

    os.kill(pid, signal.SIGTERM)

    async def ended() -> bool:
        return worker_process.exit_code is not None

    await until(ended)
    assert worker_process.exit_code in (0, -signal.SIGTERM)
    assert "Traceback" not in worker_process.log.read_text()


async def test_the_next_worker_does_the_work_of_a_killed_one(
    worker_process: WorkerProcess, bus: Bus, deadlines: DeadlineRepository, redis_url: str
) -> None:
    await asyncio.to_thread(worker_process.start)
    held = [await hold(deadlines, due_in=-1) for _ in range(100)]
    await arm(redis_url, *held)

    async def begun() -> bool:
        return await deadlines.collection.count_documents({"status": "completed"}) > 0

    await until(begun)
    worker_process.kill()
    await asyncio.to_thread(worker_process.start)

    async def all_told() -> bool:
        return await released(bus) == sorted(deadline.id for deadline in held)

    await until(all_told)


async def test_workers_replaced_one_after_the_other_release_each_hold_once_and_none_early(
    tmp_path: Path, settings: Settings, bus: Bus, deadlines: DeadlineRepository, redis_url: str
) -> None:
    """Replaces two workers, one after the other, while deadlines pass for three seconds before each step."""
    workers = [WorkerProcess(tmp_path / f"worker-{number}", settings) for number in range(2)]
    try:
        for worker in workers:
            await asyncio.to_thread(worker.start)
        held = []
        later = await hold(deadlines, due_in=600)
        await arm(redis_url, later)
        for worker in workers:
            batch = [await hold(deadlines, due_in=0.02 * number) for number in range(150)]
            await arm(redis_url, *batch)
            held += batch

            async def the_first_is_told(order_id: str = batch[0].id) -> bool:
                return order_id in await released(bus)

            await until(the_first_is_told)
            await asyncio.to_thread(worker.restart)

        async def all_told() -> bool:
            return len(await released(bus)) >= len(held)

        await until(all_told)
    finally:
        for worker in workers:
            await asyncio.to_thread(worker.stop)

    assert await released(bus) == sorted(deadline.id for deadline in held)
    events = await bus.events(ExpirationCompleted)
    assert [event.data.order_id for event in events if event.time < event.data.expires_at] == []
