"""The audit of data that the real services wrote: detects a renamed field or a rule that is too strict."""

import json
import os
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo import MongoClient

from ticketing_ops.data_dir import DataDir

pytestmark = pytest.mark.flow

TICKETING = Path(sysconfig.get_path("scripts")) / "ticketing"
NAMED_ELSEWHERE = ("_MONGO_URL", "NATS_URL", "STRIPE_KEY", "STRIPE_API_BASE")
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.endswith(NAMED_ELSEWHERE)},
    "RATE_LIMIT_SIGNUP": "off",
    "RATE_LIMIT_SIGNIN": "off",
    "RESERVATION_WINDOW_SECONDS": "3",
}


def ticketing(command: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TICKETING, command, "--data-dir", folder, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
    )


def violations(folder: Path, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    ended = ticketing("audit", folder, "--json", *arguments)
    report = json.loads(ended.stdout)
    assert "violations" in report, report
    found: list[dict[str, Any]] = report["violations"]
    return ended.returncode, found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A stack without a client on which the demo has just been played: sold, declined, expired, sold again."""
    folder = tmp_path_factory.mktemp("audited")
    started = ticketing("up", folder, "--detach", "--no-client")
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        played = ticketing("demo", folder)
        assert played.returncode == 0, played.stdout
        yield folder
    finally:
        ticketing("down", folder)


def test_after_the_demo_no_invariant_is_violated(folder: Path) -> None:
    ended = ticketing("audit", folder)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    # The audit has read the data of the demo: the counts are not zero.
    for part in ("orders.orders", "payments.payments", "expiration.deadlines", "stripe.payment_intents"):
        assert part in ended.stdout
    assert "stripe.payment_intents 0" not in ended.stdout


def test_a_lost_copy_is_reported_and_the_suggested_repair_restores_it(folder: Path) -> None:
    state = DataDir(folder).read_state()
    assert state is not None
    mongo: MongoClient[dict[str, Any]] = MongoClient(state.addresses["mongo"])
    with mongo:
        lost = mongo["tickets"]["orders"].find_one_and_delete({"status": "complete"})
    assert lost is not None

    status, found = violations(folder, "--grace", "0")
    assert status == 1
    assert [(violation["invariant"], violation["ids"]) for violation in found] == [
        ("projection_behind", {"projection": "tickets.orders", "order": lost["_id"]})
    ]
    assert "ticketing resync" in found[0]["repair"]

    assert ticketing("resync", folder, "orders").returncode == 0
    for _ in range(20):  # one audit takes longer than the delivery of an event
        if violations(folder, "--grace", "0") == (0, []):
            return
    pytest.fail(f"still violated: {violations(folder)}")


def test_a_refund_and_a_dispute_made_at_stripe_are_reported(folder: Path) -> None:
    state = DataDir(folder).read_state()
    assert state is not None
    mongo: MongoClient[dict[str, Any]] = MongoClient(state.addresses["mongo"])
    stripe = httpx.Client(base_url=state.addresses["stripe"], auth=("sk_test_dashboard", ""), trust_env=False)
    with mongo, stripe:
        payments = mongo["payments"]["payments"]
        paid = payments.find_one({"status": "captured"})
        assert paid is not None
        assert paid["client_secret"] is None
        dispute = stripe.post("/_config/disputes", json={"payment_intent": paid["stripe_id"]}).json()
        _wait(lambda: payments.count_documents({"_id": paid["_id"], "disputed": True}) == 1)
        _wait(lambda: _named(folder) == ["dispute_open"])

        stripe.post(f"/_config/disputes/{dispute['id']}", json={"status": "won"}).raise_for_status()
        _wait(lambda: payments.count_documents({"_id": paid["_id"], "disputed": False}) == 1)
        stripe.post("/v1/refunds", data={"payment_intent": paid["stripe_id"]}).raise_for_status()
        _wait(lambda: payments.count_documents({"_id": paid["_id"], "status": "refunded"}) == 1)
        ended = {"_id": paid["order_id"], "status": "cancelled", "reason": "refunded"}
        _wait(lambda: mongo["orders"]["orders"].count_documents(ended) == 1)
        _wait(lambda: _named(folder) == [])


def _named(folder: Path) -> list[str]:
    return [violation["invariant"] for violation in violations(folder, "--grace", "2")[1]]


def _wait(holds: Callable[[], bool], seconds: float = 60) -> None:
    """A webhook takes one or two seconds; without it, the reconciler finds the change later."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(0.1)
