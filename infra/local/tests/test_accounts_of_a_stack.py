"""The end of sessions and of an account over all processes of a stack."""

import asyncio
import os
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx
import jwt
import nats
import pytest
from pymongo import MongoClient
from pyotp import TOTP

from ticketing_common.entity import new_id
from ticketing_ops.api import Api
from ticketing_ops.data_dir import DataDir, StackState

pytestmark = pytest.mark.flow

TICKETING = Path(sysconfig.get_path("scripts")) / "ticketing"
PASSWORD = "correct horse battery"
WAIT_SECONDS = 60.0
"""A generous ceiling for a machine that stalls; it is usually a matter of milliseconds."""


def ticketing(command: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "RATE_LIMIT_SIGNUP": "off", "RATE_LIMIT_SIGNIN": "off"}
    return subprocess.run(
        [TICKETING, *command.split(), "--data-dir", folder, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A detached stack without a client."""
    folder = tmp_path_factory.mktemp("accounts")
    started = ticketing("up", folder, "--detach", "--no-client")
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        yield folder
    finally:
        ticketing("down", folder)


@pytest.fixture(scope="module")
def state(folder: Path) -> StackState:
    found = DataDir(folder).read_state()
    assert found is not None
    return found


@pytest.fixture
def api(state: StackState) -> Iterator[Api]:
    with httpx.Client(timeout=30) as http:
        yield Api(http, state.addresses)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def statuses(api: Api, token: str) -> dict[str, int]:
    """How every service answers a call that needs a session."""
    calls = {
        "auth": "/api/users/me/export",
        "tickets": "/api/tickets/mine",
        "orders": "/api/orders",
        "payments": f"/api/payments/{new_id()}",
    }
    return {service: api.call("GET", path, token).status_code for service, path in calls.items()}


ACCEPTED = {"auth": 200, "tickets": 200, "orders": 200, "payments": 404}
REFUSED = dict.fromkeys(ACCEPTED, 401)


@pytest.mark.parametrize("cause", ["sign out everywhere", "change of password"])
def test_all_sessions_end_at_every_service_and_a_new_one_is_valid(api: Api, cause: str) -> None:
    email = f"ann-{token_hex(4)}@example.com"
    former, other = (api.account(email, PASSWORD) for _ in range(2))
    assert [statuses(api, one) for one in (former, other)] == [ACCEPTED, ACCEPTED]

    if cause == "sign out everywhere":
        password = PASSWORD
        answer = api.call("POST", "/api/users/signout-everywhere", former)
    else:
        password = PASSWORD + " staple"
        body = {"currentPassword": PASSWORD, "password": password}
        answer = api.call("PUT", "/api/users/password", former, json=body)
    assert answer.status_code == 200
    signed_in = api.call("POST", "/api/users/token", data={"username": email, "password": password})
    new = signed_in.json()["access_token"]

    until(lambda: [statuses(api, one) for one in (former, other)] == [REFUSED, REFUSED])
    assert statuses(api, new) == ACCEPTED, "it began in the same second"


def test_one_session_ends_at_every_service_and_an_operator_ends_the_rest(api: Api, folder: Path) -> None:
    """A copy of the token is refused after sign-out; the account's other tokens are not."""
    email = f"ann-{token_hex(4)}@example.com"
    copied, other = (api.account(email, PASSWORD) for _ in range(2))
    assert [statuses(api, one) for one in (copied, other)] == [ACCEPTED, ACCEPTED]

    assert api.call("POST", "/api/users/signout", copied).status_code == 200

    until(lambda: statuses(api, copied) == REFUSED)
    assert statuses(api, other) == ACCEPTED

    account = api.call("GET", "/api/users/me/export", other).json()["account"]["id"]
    ended = ticketing("accounts end-sessions", folder, account)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert account in ended.stdout.replace("\n", "")
    until(lambda: statuses(api, other) == REFUSED)
    assert ticketing("accounts end-sessions", folder, new_id()).returncode == 1


def test_an_operator_turns_a_lost_second_factor_off(api: Api, folder: Path) -> None:
    email = f"ann-{token_hex(4)}@example.com"
    token = api.account(email, PASSWORD)
    begun = api.call("POST", "/api/users/second-factor", token, json={"password": PASSWORD})
    body = {"code": TOTP(begun.json()["secret"]).now()}
    assert api.call("POST", "/api/users/second-factor/confirm", token, json=body).status_code == 200
    until(lambda: statuses(api, token) == REFUSED)
    credentials = {"username": email, "password": PASSWORD}
    asked = api.call("POST", "/api/users/token", data=credentials)
    assert asked.json()["type"] == "tag:ticketing.dev,2026:second-factor-required"

    account = jwt.decode(token, options={"verify_signature": False})["sub"]
    reset = ticketing("accounts reset-factor", folder, account)

    assert reset.returncode == 0, reset.stdout + reset.stderr
    assert account in reset.stdout.replace("\n", "")
    assert api.call("POST", "/api/users/token", data=credentials).status_code == 200
    assert ticketing("accounts reset-factor", folder, "no id").returncode == 1


def places_with(address: str, folder: Path, state: StackState) -> set[str]:
    """Every database, stream and log of the stack that contains the address.

    Not the oplog, MongoDB's own record of past writes, which cannot be edited: docs/retention.md.
    """
    found = set()
    mongo: MongoClient[dict[str, Any]] = MongoClient(state.addresses["mongo"])
    with mongo:
        for database in set(mongo.list_database_names()) - {"local"}:
            for collection in mongo[database].list_collection_names():
                if any(address in str(document) for document in mongo[database][collection].find()):
                    found.add(f"{database}.{collection}")

    async def streams() -> None:
        client = await nats.connect(state.addresses["nats"])
        js = client.jetstream()
        for info in await js.streams_info():
            assert info.config.name is not None
            for sequence in range(max(1, info.state.first_seq), info.state.last_seq + 1):
                message = await js.get_msg(info.config.name, sequence)
                if address.encode() in (message.data or b""):
                    found.add(info.config.name)
        await client.close()

    asyncio.run(streams())
    found.update(log.name for log in DataDir(folder).logs.iterdir() if address in log.read_text(errors="replace"))
    return found


def known_to_auth(state: StackState, order_id: str) -> bool:
    mongo: MongoClient[dict[str, Any]] = MongoClient(state.addresses["mongo"])
    with mongo:
        return mongo["auth"]["obligations"].find_one({"_id": order_id}) is not None


def test_a_deleted_account_leaves_its_address_nowhere_and_its_unsold_listings_are_withdrawn(
    api: Api, folder: Path, state: StackState
) -> None:
    mark = f"leaver{token_hex(6)}"
    email = f"{mark}@example.com"
    seller = api.account(email, PASSWORD)
    buyer = api.account(f"buyer-{token_hex(4)}@example.com", PASSWORD)
    listed = [
        api.call("POST", "/api/tickets", seller, json={"title": title, "price": 12.5}).json()["id"]
        for title in ("Unsold", "Sold")
    ]
    until(lambda: api.call("POST", "/api/orders", buyer, json={"ticketId": listed[1]}).status_code == 201)
    (order,) = api.pages("/api/orders", buyer)
    leave = {"json": {"password": PASSWORD}}
    until(lambda: known_to_auth(state, order["id"]))
    assert api.call("DELETE", "/api/users/me", seller, **leave).status_code == 409, "a seat is held"
    paid = api.call("POST", "/api/payments", buyer, json={"orderId": order["id"], "paymentMethodId": "pm_card_visa"})
    assert paid.status_code == 201
    assert api.call("POST", "/api/users/password-reset", json={"email": email}).status_code == 202
    assert places_with(mark, folder, state) == {"auth.users"}

    until(lambda: api.call("DELETE", "/api/users/me", seller, **leave).status_code == 204)

    until(lambda: statuses(api, seller) == REFUSED)
    until(lambda: api.call("GET", f"/api/tickets/{listed[0]}").status_code == 404)
    assert api.call("GET", f"/api/tickets/{listed[1]}").json()["status"] == "sold", "its buyer and the books need it"
    assert api.call("GET", f"/api/orders/{order['id']}", buyer).json()["status"] == "complete"
    form = {"username": email, "password": PASSWORD}
    unknown = {"username": f"{token_hex(6)}@example.com", "password": PASSWORD}
    answers = [api.call("POST", "/api/users/token", data=one) for one in (form, unknown)]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert places_with(mark, folder, state) == set()
    assert ticketing("audit", folder).returncode == 0

    assert api.account(email, PASSWORD), "the address may sign up again"
    assert statuses(api, seller) == REFUSED
