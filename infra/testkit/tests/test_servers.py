"""The servers that all other tests use."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from ticketing_testkit.servers import (
    Mongod,
    NatsServer,
    RedisServer,
    ServerProcess,
    ServerStartError,
    StripeDouble,
    binaries,
    is_alive,
)
from ticketing_testkit.servers.binaries import find_binary
from ticketing_testkit.waiting import wait_until


async def test_redis_keeps_its_data_after_a_kill(redis_server: RedisServer) -> None:
    async with Redis.from_url(redis_server.url) as client:
        await client.set("timer", "armed")

    redis_server.restart()

    async with Redis.from_url(redis_server.url) as client:
        assert await client.get("timer") == b"armed"


def test_a_stopped_server_leaves_no_process(tmp_path: Path) -> None:
    server = NatsServer(tmp_path)
    server.start()
    pid = server.pid
    assert pid is not None

    server.stop()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_paused_server_answers_nothing_from_then_on(mongod: Mongod) -> None:
    """The kernel stops the threads some time after the signal, more so on a busy machine."""
    if sys.platform != "linux":
        pytest.skip("reads the states of threads from /proc")
    for _ in range(20):
        with mongod.paused():
            threads = Path(f"/proc/{mongod.pid}/task").glob("*/stat")
            assert {thread.read_text().rpartition(")")[2].split()[0] for thread in threads} == {"T"}


def test_a_pause_of_a_paused_or_ended_server_changes_nothing(nats_server: NatsServer) -> None:
    nats_server.pause()
    nats_server.pause()
    nats_server.resume()
    assert nats_server.is_ready()
    pid = nats_server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    nats_server.pause()
    nats_server.pause()
    wait_until(lambda: nats_server.exit_code is not None)
    nats_server.pause()
    assert nats_server.exit_code == -signal.SIGKILL


def test_a_server_on_a_taken_port_is_a_clear_error(tmp_path: Path, nats_server: NatsServer) -> None:
    second = NatsServer(tmp_path / "second", port=nats_server.port)

    with pytest.raises(ServerStartError, match="Another program listens on port"):
        second.start()


def test_the_port_of_a_stopped_server_is_assigned_to_no_other_process(tmp_path: Path) -> None:
    server = NatsServer(tmp_path)
    server.start()
    server.kill()

    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", server.port))  # without SO_REUSEADDR, as for a port that the system assigns

    server.start()
    server.stop()


def test_the_stripe_double_keeps_its_data_after_a_restart(tmp_path: Path) -> None:
    server = StripeDouble(tmp_path)
    server.start()
    try:
        made = httpx.post(
            f"{server.url}/v1/payment_intents",
            data={"amount": 100, "currency": "usd", "capture_method": "manual"},
            auth=("sk_double", ""),
        )
        made.raise_for_status()
        server.restart()
        found = httpx.get(f"{server.url}/v1/payment_intents/{made.json()['id']}", auth=("sk_double", ""))
    finally:
        server.stop()
    assert found.json()["amount"] == 100


class Broken(ServerProcess):
    """A server that ends at once."""

    name = "broken"

    def command(self) -> list[str]:
        return ["/bin/sh", "-c", "echo the reason >&2; exit 3"]

    def is_ready(self) -> bool:
        return False


def test_a_server_that_ends_while_starting_is_reported_with_its_log(tmp_path: Path) -> None:
    with pytest.raises(ServerStartError, match="the reason"):
        Broken(tmp_path).start()


def test_a_program_on_path_has_precedence_over_one_in_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "nats-server"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    assert find_binary("nats-server") != own

    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    assert find_binary("nats-server") == own


def test_a_missing_program_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(binaries, "_INSIDE_WHEELS", {})
    with pytest.raises(ServerStartError, match=r"There is no mongod here .* on PATH, or .* with MONGO_URL="):
        find_binary("mongod")


def test_a_server_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    code = f"""
import os, pathlib
from ticketing_testkit.servers import NatsServer
server = NatsServer(pathlib.Path({str(tmp_path)!r}))
server.start()
print(server.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    wait_until(lambda: not is_alive(int(printed.stdout)))
