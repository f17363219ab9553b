"""What the live view shows: always the same rows, and what is wrong in red, whatever hangs."""

import asyncio
from collections import deque
from pathlib import Path

import pytest
from rich.console import Console

from ticketing_local import watching
from ticketing_local.audit.unreadable import UnreadableError
from ticketing_local.data_dir import DataDir, StackState
from ticketing_local.figures import Look
from ticketing_local.watching import Picture, drawn, watch_status

pytestmark = pytest.mark.unit

METRICS = """
consumer_lag{consumer="tickets-orders"} 0
consumer_lag{consumer="payments-orders"} 7
circuit_state{circuit="stripe"} 1
"""


def shown(picture: Picture, state: StackState) -> str:
    console = Console(width=200, force_terminal=True, color_system="standard", record=True)
    with console.capture() as captured:
        console.print(drawn(picture, state))
    return captured.get()


def plain(picture: Picture, state: StackState) -> list[str]:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(drawn(picture, state))
    return captured.get().splitlines()


def test_rows_stay_in_their_order_also_before_anything_is_known() -> None:
    rows = [line.split() for line in plain(Picture(), StackState(1, "ready"))[2:8]]
    assert [row[0] for row in rows] == ["auth", "tickets", "orders", "payments", "expiration", "worker"]


def test_what_is_wrong_is_named_and_red() -> None:
    picture = Picture(looks={"payments": deque([Look.read(METRICS, at=0)])})
    picture.ready["tickets"] = "no answer"
    picture.counts.update({"violations": "2", "holds open": "3", "dead letters": "no answer"})
    state = StackState(1, "ready", faults=["nats-down"], dead={"valkey-server": "ended with 1"})
    *_, facts = plain(picture, state)
    for fact in (
        "consumer lag: 7 (payments-orders)",
        "dead letters: no answer",
        "holds open: 3",
        "violations: 2",
        "circuit stripe: open",
        "valkey-server: ended with 1",
        "broken on purpose: nats-down",
    ):
        assert fact in facts
    coloured = shown(picture, state)
    red = "\x1b[31m"
    for fact in ("no answer", "violations: 2", "dead letters: no answer", "circuit stripe: open"):
        assert f"{red}{fact}" in coloured, fact
    assert f"{red}holds open: 3" not in coloured


async def test_one_question_at_a_time_and_asked_again_whatever_goes_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "ANSWER_SECONDS", 0.02)
    picture, asked, gate = Picture(), 0, asyncio.Event()
    errors: list[Exception] = [UnreadableError("auth", "hangs"), ValueError("a bug")]

    async def ask() -> int:
        nonlocal asked
        asked += 1
        await gate.wait()
        if errors:
            raise errors.pop()
        return 5

    counting = asyncio.create_task(watching._keep_counting(picture, "holds open", ask, 0.01))
    async with asyncio.timeout(10):
        while picture.counts["holds open"] != "no answer":  # noqa: ASYNC110 (time passes)
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert asked == 1, "what hangs is not asked again and again"
        gate.set()
        while picture.counts["holds open"] != "5":  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    counting.cancel()
    assert errors == []


def test_where_nothing_runs_it_says_so(tmp_path: Path) -> None:
    assert watch_status(DataDir(tmp_path), rounds=1) == 3
