"""With the client in front, a browser's request is the root of one trace that includes every consumer."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ticketing_local.seed import DemoAccounts
from ticketing_ops.api import Api
from ticketing_testkit.waiting import wait_until

from .running_stack import RunningStack

pytestmark = [pytest.mark.flow, pytest.mark.timeout(600)]  # the client is built if it has no build

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
def stack(tmp_path: Path) -> Iterator[RunningStack]:
    with RunningStack(tmp_path, client=True).running(OTEL_TRACES_EXPORTER="console") as stack:
        yield stack


def spans(stack: RunningStack) -> list[tuple[str, Any]]:
    """All spans in the logs whose lines are complete."""
    return [
        (name, json.loads(line))
        for name in THROUGH
        for line in (stack.folder / "logs" / f"{name}.log").read_text().splitlines(keepends=True)
        if line.startswith('{"name"') and line.endswith("\n")
    ]


def test_the_request_of_a_browser_is_the_root_of_one_trace(stack: RunningStack) -> None:
    accounts = DemoAccounts()
    with httpx.Client(timeout=30) as http:
        api = Api(http, stack.state.addresses)
        seller, buyer = (api.account(email, accounts.password) for email in (accounts.seller, accounts.buyer))
        ticket = api.call("POST", "/api/tickets", seller, json={"title": "Seat", "price": 5}).json()["id"]
        assert api.call("POST", "/api/orders", buyer, json={"ticketId": ticket}).status_code == 201

    def trace_spans() -> list[tuple[str, Any]]:
        found = spans(stack)
        ids = {span["context"]["trace_id"] for _, span in found if span["name"] == "POST /api/orders"}
        assert len(ids) <= 1
        return [(name, span) for name, span in found if span["context"]["trace_id"] in ids]

    def names() -> set[tuple[str, str]]:
        return {(name, span["name"]) for name, span in trace_spans()}

    wait_until(lambda: names() >= EXPECTED, why=lambda: sorted(names()))
    exported = trace_spans()
    ids = {span["context"]["span_id"] for _, span in exported}
    roots = {(name, span["name"]) for name, span in exported if span["parent_id"] not in ids}
    assert roots == {("client", "POST /api/[...path]")}
