"""`ticketing audit` for people, programs and monitoring: the real command, configured by its environment."""

import json
import os
import signal
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import httpx

from ticketing_ops.audit import INVARIANTS
from ticketing_testkit.servers import free_port
from ticketing_testkit.waiting import wait_until

from .marketplace import Marketplace

TICKETING = Path(sysconfig.get_path("scripts")) / "ticketing"
WAIT_SECONDS = 60.0


def environment(marketplace: Marketplace, **changes: str | None) -> dict[str, str]:
    addresses = marketplace.addresses
    named: dict[str, str | None] = {
        **{f"{service.upper()}_MONGO_URL": url for service, url in addresses.mongo_urls.items()},
        **{f"{service.upper()}_MONGO_DATABASE": name for service, name in addresses.databases.items()},
        "NATS_URL": addresses.nats_url,
        "STRIPE_KEY": addresses.stripe_key,
        "STRIPE_API_BASE": addresses.stripe_url,
        **changes,
    }
    return {**os.environ, **{name: value for name, value in named.items() if value is not None}}


def audit(marketplace: Marketplace, *arguments: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TICKETING, "audit", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment(marketplace, **changes),
    )


def test_no_violation_is_exit_0_and_the_output_names_what_was_read(marketplace: Marketplace) -> None:
    ended = audit(marketplace)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"All {len(INVARIANTS)} invariants hold." in ended.stdout
    assert "stripe.payment_intents 4" in ended.stdout


def test_a_violation_is_exit_1_with_ids_and_repair(marketplace: Marketplace) -> None:
    marketplace.change("orders", "tickets", marketplace.free_ticket, version=1)
    ended = audit(marketplace)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "projection_behind" in ended.stdout
    assert f"projection=orders.tickets ticket={marketplace.free_ticket}" in ended.stdout
    assert "ticketing resync" in ended.stdout


def test_json_holds_every_violation_and_what_was_read(marketplace: Marketplace) -> None:
    marketplace.change("orders", "tickets", marketplace.free_ticket, version=9)
    ended = audit(marketplace, "--json")
    report: dict[str, Any] = json.loads(ended.stdout)
    assert ended.returncode == 1
    (violation,) = report["violations"]
    assert violation["invariant"] == "projection_ahead"
    assert violation["ids"] == {"projection": "orders.tickets", "ticket": marketplace.free_ticket}
    assert violation["repair"] == INVARIANTS["projection_ahead"].repair
    assert report["read"]["tickets.tickets"] == 5


def test_the_caller_chooses_the_grace(marketplace: Marketplace) -> None:
    marketplace.change("orders", "tickets", marketplace.free_ticket, version=1)
    assert audit(marketplace, "--grace", "7200").returncode == 0


def test_a_part_that_cannot_be_read_is_exit_2_and_one_sentence_without_passwords(marketplace: Marketplace) -> None:
    unused_port = free_port()
    for changes, sentence in (
        ({"ORDERS_MONGO_URL": f"mongodb://u:secret@127.0.0.1:{unused_port}/"}, "The database of orders cannot be read"),
        ({"PAYMENTS_MONGO_URL": "mongo://u:secret@nowhere"}, "The database of payments cannot be read"),
        ({"NATS_URL": f"nats://u:secret@127.0.0.1:{unused_port}"}, "NATS cannot be read"),
        ({"STRIPE_API_BASE": f"http://127.0.0.1:{unused_port}", "STRIPE_KEY": "sk_secret"}, "Stripe cannot be read"),
        ({"NATS_URL": ""}, "The environment names databases, but not NATS_URL."),
    ):
        ended = audit(marketplace, **changes)
        assert ended.returncode == 2, ended.stdout + ended.stderr
        assert sentence in ended.stdout
        assert len(ended.stdout.strip().splitlines()) == 1
        assert "secret" not in ended.stdout + ended.stderr
        assert "Traceback" not in ended.stderr


def test_a_document_that_cannot_be_read_is_a_violation_that_names_it(marketplace: Marketplace) -> None:
    marketplace.collection("orders", "orders").update_one(
        {"_id": marketplace.held_order}, {"$unset": {"expires_at": ""}}
    )
    ended = audit(marketplace, "--json")
    assert ended.returncode == 1
    violations = {violation["invariant"]: violation["ids"] for violation in json.loads(ended.stdout)["violations"]}
    assert violations["document_unreadable"] == {"place": "orders.orders", "document": marketplace.held_order}


def test_the_audit_reports_that_no_stack_runs(marketplace: Marketplace, tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.endswith("_MONGO_URL")}
    ended = subprocess.run(
        [TICKETING, "audit", "--data-dir", tmp_path], capture_output=True, text=True, check=False, env=clean
    )
    assert ended.returncode == 2
    assert "Nothing is running here" in ended.stdout


def test_the_list_names_every_invariant(marketplace: Marketplace) -> None:
    listed = audit(marketplace, "--list", COLUMNS="400")
    assert listed.returncode == 0
    assert not [invariant.name for invariant in INVARIANTS.values() if invariant.name not in listed.stdout]


def test_a_monitor_reads_one_series_for_each_invariant_while_it_watches(marketplace: Marketplace) -> None:
    port = free_port()
    command = [str(TICKETING), "audit", "--watch", "--every", "0.1", "--metrics-port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(marketplace)) as watching:
        try:

            def figures() -> dict[str, float]:
                try:
                    text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
                except httpx.HTTPError:
                    return {}
                pairs = (line.rpartition(" ") for line in text.splitlines() if line.startswith("invariant_violations{"))
                return {name.partition('"')[2].rpartition('"')[0]: float(value) for name, _, value in pairs}

            wait_until(lambda: figures() == dict.fromkeys(INVARIANTS, 0.0))
            marketplace.change("orders", "tickets", marketplace.free_ticket, version=1)
            wait_until(lambda: figures() == {**dict.fromkeys(INVARIANTS, 0.0), "projection_behind": 1.0})
            watching.send_signal(signal.SIGINT)
            printed, _ = watching.communicate(timeout=WAIT_SECONDS)
        finally:
            watching.kill()
    assert watching.returncode == 1, printed
    assert "projection_behind" in printed


def test_watching_continues_while_a_part_is_unavailable(marketplace: Marketplace) -> None:
    command = [str(TICKETING), "audit", "--watch", "--every", "0.1"]
    away = environment(marketplace, STRIPE_API_BASE=f"http://127.0.0.1:{free_port()}")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=away) as watching:
        try:
            assert watching.stdout is not None
            lines = [watching.stdout.readline() for _ in range(2)]
            watching.send_signal(signal.SIGTERM)
            watching.communicate(timeout=WAIT_SECONDS)
        finally:
            watching.kill()
    assert all("Stripe cannot be read" in line for line in lines), lines
    assert watching.returncode == 2
