import asyncio
import logging
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ticketing_auth import worker as worker_module
from ticketing_auth.domain import User
from ticketing_auth.mail import MailKind, Mails
from ticketing_auth.settings import MAIL_QUEUE, WorkerSettings
from ticketing_auth.worker import create_worker
from ticketing_common.entity import utc_now
from ticketing_common.storage import Database
from ticketing_common.timers import Timers, connect
from ticketing_testkit.apps import run_app
from ticketing_testkit.cluster_redis import ClusterRedis
from ticketing_testkit.servers import ServerProcess, running
from ticketing_testkit.waiting import until

from .conftest import MailServer

ORDER: Mapping[str, Any] = {"title": "The Tempest", "seats": 1, "ticket_id": "6b0400000000000000000002"}


@pytest.fixture(autouse=True)
def quiet() -> None:
    """Silences arq, which logs a stack trace when it loses Redis; these tests do that on purpose."""
    logging.getLogger("arq").setLevel(logging.CRITICAL)


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[ClusterRedis]:
    with running(ClusterRedis(tmp_path / "redis")) as server:
        yield server


def settings_of(
    mongo_url: str, database: str, redis_url: str, mail_server: MailServer, **changes: Any
) -> WorkerSettings:
    return WorkerSettings.model_validate(
        {
            "mongo_url": mongo_url,
            "mongo_database": database,
            "jwt_public_keys": [],
            "redis_url": redis_url,
            "smtp_url": mail_server.url,
            "smtp_tls": "off",
            "mail_from": "Ticketing <no-reply@tickets.example>",
            "log_level": "warning",
            **changes,
        }
    )


@pytest.fixture
def settings(mongo_url: str, database_name: str, redis_server: ClusterRedis, mail_server: MailServer) -> WorkerSettings:
    return settings_of(mongo_url, database_name, redis_server.url_of("auth"), mail_server)


async def request(mails: Mails, user: User, fact: str) -> None:
    await mails.request(MailKind.HOLD_EXPIRED, user_id=user.id, fact=fact, values=ORDER)


def received(mail_server: MailServer, number: int) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return len(mail_server.received) >= number

    return check


async def test_a_timer_wakes_the_worker_with_the_rights_that_auth_has_in_the_cluster(
    settings: WorkerSettings,
    database: Database,
    ann: User,
    mail_server: MailServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_module, "SWEEP_SECONDS", 600)
    timers = Timers(connect(settings.redis_url.get_secret_value(), MAIL_QUEUE))
    mails = Mails(database["mails"], lambda mail_id: timers.arm_soon(f"{MAIL_QUEUE}:{mail_id}", utc_now()))
    async with run_app(create_worker(settings)):
        await request(mails, ann, "first")
        await until(received(mail_server, 1))
        await request(mails, ann, "second")
        await until(received(mail_server, 2))
    await timers.close()


async def test_without_redis_the_sweep_delivers(
    mongo_url: str, database_name: str, mails: Mails, ann: User, mail_server: MailServer
) -> None:
    settings = settings_of(mongo_url, database_name, "redis://127.0.0.1:9/0", mail_server)
    async with run_app(create_worker(settings)):
        await request(mails, ann, "first")
        await until(received(mail_server, 1))


async def test_a_redis_that_lost_its_data_delays_nothing_for_long(
    settings: WorkerSettings,
    redis_server: ClusterRedis,
    mails: Mails,
    ann: User,
    mail_server: MailServer,
) -> None:
    async with run_app(create_worker(settings)):
        redis_server.kill()
        await request(mails, ann, "while it is away")
        await until(received(mail_server, 1))
        redis_server.start()
        await request(mails, ann, "afterwards")
        await until(received(mail_server, 2))


class WorkerProcess(ServerProcess):
    """The worker in its own process, as in production."""

    name = "mail"

    def __init__(self, directory: Path, settings: WorkerSettings) -> None:
        super().__init__(directory)
        self._settings = settings

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "ticketing_auth.worker"]

    def environment(self) -> Mapping[str, str]:
        return {
            "MONGO_URL": self._settings.mongo_url.get_secret_value(),
            "MONGO_DATABASE": self._settings.mongo_database,
            "REDIS_URL": self._settings.redis_url.get_secret_value(),
            "SMTP_URL": self._settings.smtp_url.get_secret_value(),
            "SMTP_TLS": "off",
            "MAIL_FROM": self._settings.mail_from,
            "JWT_PUBLIC_KEYS": "[]",
            "WORKER_HEALTH_PORT": str(self.port),
        }

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError:
            return False


@pytest.fixture
def worker_process(tmp_path: Path, settings: WorkerSettings) -> Iterator[WorkerProcess]:
    process = WorkerProcess(tmp_path / "worker", settings)
    yield process
    process.stop()


async def test_a_worker_that_is_killed_between_acceptance_and_record_repeats_a_recognisable_mail(
    worker_process: WorkerProcess, mails: Mails, ann: User, mail_server: MailServer
) -> None:
    """The one step that can repeat a mail: the server has accepted it, and the database does not know it yet."""
    mail_server.answers["data"] = ["accept-then-hang"]
    await asyncio.to_thread(worker_process.start)
    await request(mails, ann, "an order")
    await until(received(mail_server, 1))
    worker_process.kill()
    mail_server.released.set()
    claimed = await mails.collection.find_one({})
    assert claimed is not None
    assert claimed["state"] == "queued"

    await mails.collection.update_one({}, [{"$set": {"next_at": "$$NOW"}}])  # its lease has ended
    await asyncio.to_thread(worker_process.start)
    await until(received(mail_server, 2))

    assert len({message["Message-ID"] for message in mail_server.received}) == 1

    async def recorded() -> bool:
        return await mails.collection.count_documents({"state": "sent"}) == 1

    await until(recorded)


async def test_the_worker_ends_gracefully_and_logs_no_address(
    worker_process: WorkerProcess, mails: Mails, ann: User, mail_server: MailServer
) -> None:
    await asyncio.to_thread(worker_process.start)
    await request(mails, ann, "an order")
    await until(received(mail_server, 1))

    await asyncio.to_thread(worker_process.stop)

    assert worker_process.exit_code in (None, 0, -signal.SIGTERM)
    log = worker_process.log.read_text()
    assert "Traceback" not in log
    assert "mail sent" in log
    assert ann.email not in log
    assert "(e-mail)" not in log


@pytest.mark.unit
@pytest.mark.parametrize(
    "changes", [{"mail_from": "no address"}, {"public_url": "https://x/path?"}, {"smtp_tls": "maybe"}]
)
def test_a_wrong_setting_stops_the_start(changes: dict[str, str]) -> None:
    fields = {
        "mongo_url": "mongodb://db",
        "jwt_public_keys": [],
        "redis_url": "redis://r",
        "smtp_url": "smtp://user:hidden@mail.example",
        "mail_from": "a@b.example",
    }
    assert "hidden" not in repr(WorkerSettings.model_validate(fields))
    with pytest.raises(ValidationError):
        WorkerSettings.model_validate({**fields, **changes})
