"""The product's own processes, with a small ASGI service in place of the five."""

import os
import threading
from pathlib import Path

import pytest

from ticketing_local import startup_lock
from ticketing_local.report import print_status
from ticketing_local.services import ServiceProcess
from ticketing_ops.data_dir import StackState
from ticketing_testkit.servers import ServerStartError, free_port

NOT_READY = """
async def answer(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 503, "headers": []})
    await send({"type": "http.response.body", "body": b""})

def create_app():
    return answer
"""


def test_a_service_that_listens_but_is_not_ready_is_not_reported_ready(tmp_path: Path) -> None:
    package = tmp_path / "ticketing_standin"
    package.mkdir()
    (package / "app.py").write_text(NOT_READY)
    environment = {"PYTHONPATH": str(tmp_path)}
    process = ServiceProcess("standin", tmp_path, tmp_path / "log", port=free_port(), environment=environment)
    process.launch()
    with pytest.raises(ServerStartError, match="did not answer in 3 s"):
        process.wait_until_ready(3)
    assert process.pid is None


@pytest.mark.unit
def test_one_stack_starts_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    waiting, entered = threading.Event(), threading.Event()

    def second() -> None:
        with startup_lock.exclusive_startup(waiting.set):
            entered.set()

    other = threading.Thread(target=second)
    with startup_lock.exclusive_startup(lambda: pytest.fail("no other stack is starting")):
        other.start()
        assert waiting.wait(5)
        assert not entered.is_set()
    assert entered.wait(5)
    other.join()


@pytest.mark.unit
def test_the_status_of_a_stack_with_a_dead_process_is_failure(capsys: pytest.CaptureFixture[str]) -> None:
    well = StackState(os.getpid(), "ready", processes={"auth": os.getpid()})
    assert print_status(well) == 0
    well.dead["auth"] = "ended with status -9"
    assert print_status(well) == 1
    assert print_status(None) == 3
    assert "ended with status -9" in capsys.readouterr().out
