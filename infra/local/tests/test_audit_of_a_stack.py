"""The audit of data that the real services wrote: detects a renamed field or a rule that is too strict."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient

from ticketing_testkit.waiting import wait_until

from .running_stack import RunningStack

pytestmark = pytest.mark.flow


def violations(stack: RunningStack) -> list[dict[str, Any]]:
    report: dict[str, Any] = json.loads(stack.run("audit", "--json", "--grace", "0").stdout)
    found: list[dict[str, Any]] = report["violations"]
    return found


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack on which the demo has just been played: sold, declined, expired, refunded, called off."""
    stack = RunningStack(tmp_path_factory.mktemp("audited"), {"RESERVATION_WINDOW_SECONDS": "3"})
    with stack.running():
        stack.succeed("demo")
        yield stack


def test_after_the_demo_no_invariant_is_violated(stack: RunningStack) -> None:
    printed = stack.succeed("audit")
    # The audit has read the data of the demo: the counts are not zero.
    for part in ("orders.orders", "payments.payments", "expiration.deadlines", "stripe.payment_intents"):
        assert part in printed
    assert "stripe.payment_intents 0" not in printed


def test_a_lost_copy_is_reported_and_the_suggested_repair_restores_it(stack: RunningStack) -> None:
    with MongoClient[dict[str, Any]](stack.state.addresses["mongo"]) as mongo:
        lost = mongo["tickets"]["orders"].find_one_and_delete({"status": "complete"})
    assert lost is not None

    (found,) = violations(stack)
    assert (found["invariant"], found["ids"]) == (
        "projection_behind",
        {"projection": "tickets.orders", "order": lost["_id"]},
    )
    assert "ticketing resync" in found["repair"]

    stack.succeed("resync", "orders")
    wait_until(lambda: violations(stack) == [])
