"""With the client in front, a browser's request is the root of one trace that includes every consumer."""

import json
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ticketing_local.seed import DemoAccounts
from ticketing_ops.data_dir import DataDir

pytestmark = [pytest.mark.flow, pytest.mark.timeout(600)]  # the client is built if it has no build

TICKETING = Path(sysconfig.get_path("scripts")) / "ticketing"
THROUGH = ("client", "orders", "tickets", "payments", "expiration")
EXPECTED = {
    ("client", "POST /api/[...path]"),
    ("orders", "POST /api/orders"),
    ("orders", "orders.insert"),
    ("orders", "publish order.created"),
    ("tickets", "handle order.created"),
    ("payments", "handle order.created"),
    ("expiration", "handle order.created"),
    ("tickets", "publish ticket.updated"),
    ("orders", "handle ticket.updated"),
}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DataDir]:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    where = ("--data-dir", str(tmp_path))
    started = subprocess.run([TICKETING, "up", "--detach", *where], capture_output=True, text=True)
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        yield DataDir(tmp_path)
    finally:
        subprocess.run([TICKETING, "down", *where], capture_output=True, check=False)


def spans(data: DataDir) -> list[tuple[str, Any]]:
    """All spans in the logs whose lines are complete."""
    return [
        (name, json.loads(line))
        for name in THROUGH
        for line in (data.logs / f"{name}.log").read_text().splitlines(keepends=True)
        if line.startswith('{"name"') and line.endswith("\n")
    ]


def as_(who: str, address: str) -> dict[str, str]:
    form = {"username": who, "password": DemoAccounts().password}
    token = httpx.post(f"{address}/api/users/token", data=form).json()["access_token"]
    return {"Authorization": f"Bearer {token}"}


def test_the_request_of_a_browser_is_the_root_of_one_trace(data: DataDir) -> None:
    state = data.read_state()
    assert state is not None
    shop = state.addresses["client"]
    accounts = DemoAccounts()
    seller, buyer = as_(accounts.seller, shop), as_(accounts.buyer, shop)
    ticket = httpx.post(f"{shop}/api/tickets", headers=seller, json={"title": "Seat", "price": 5}).json()["id"]
    assert httpx.post(f"{shop}/api/orders", headers=buyer, json={"ticketId": ticket}).status_code == 201

    def trace_spans() -> list[tuple[str, Any]]:
        found = spans(data)
        ids = {span["context"]["trace_id"] for _, span in found if span["name"] == "POST /api/orders"}
        assert len(ids) <= 1
        return [(name, span) for name, span in found if span["context"]["trace_id"] in ids]

    deadline = time.monotonic() + 30
    while not {(name, span["name"]) for name, span in trace_spans()} >= EXPECTED:
        assert time.monotonic() < deadline, sorted((name, span["name"]) for name, span in trace_spans())
        time.sleep(0.1)
    exported = trace_spans()
    ids = {span["context"]["span_id"] for _, span in exported}
    roots = {(name, span["name"]) for name, span in exported if span["parent_id"] not in ids}
    assert roots == {("client", "POST /api/[...path]")}
