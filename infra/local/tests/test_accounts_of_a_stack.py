"""The end of sessions and of an account over all processes of a stack."""

import asyncio
from collections.abc import Iterator
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
from ticketing_testkit.waiting import wait_until

from .running_stack import RunningStack

pytestmark = pytest.mark.flow

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with RunningStack(tmp_path_factory.mktemp("accounts")).running() as stack:
        yield stack


@pytest.fixture
def api(stack: RunningStack) -> Iterator[Api]:
    with httpx.Client(timeout=30) as http:
        yield Api(http, stack.state.addresses)


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

    wait_until(lambda: [statuses(api, one) for one in (former, other)] == [REFUSED, REFUSED])
    assert statuses(api, new) == ACCEPTED, "it began in the same second"


def test_one_session_ends_at_every_service_and_an_operator_ends_the_rest(api: Api, stack: RunningStack) -> None:
    """A copy of the token is refused after sign-out; the account's other tokens are not."""
    email = f"ann-{token_hex(4)}@example.com"
    copied, other = (api.account(email, PASSWORD) for _ in range(2))
    assert [statuses(api, one) for one in (copied, other)] == [ACCEPTED, ACCEPTED]

    assert api.call("POST", "/api/users/signout", copied).status_code == 200

    wait_until(lambda: statuses(api, copied) == REFUSED)
    assert statuses(api, other) == ACCEPTED

    account = api.call("GET", "/api/users/me/export", other).json()["account"]["id"]
    assert account in stack.succeed("accounts", "end-sessions", account)
    wait_until(lambda: statuses(api, other) == REFUSED)
    assert stack.run("accounts", "end-sessions", new_id()).returncode == 1


def test_an_operator_turns_a_lost_second_factor_off(api: Api, stack: RunningStack) -> None:
    email = f"ann-{token_hex(4)}@example.com"
    token = api.account(email, PASSWORD)
    begun = api.call("POST", "/api/users/second-factor", token, json={"password": PASSWORD})
    body = {"code": TOTP(begun.json()["secret"]).now()}
    assert api.call("POST", "/api/users/second-factor/confirm", token, json=body).status_code == 200
    wait_until(lambda: statuses(api, token) == REFUSED)
    credentials = {"username": email, "password": PASSWORD}
    asked = api.call("POST", "/api/users/token", data=credentials)
    assert asked.json()["type"] == "tag:ticketing.dev,2026:second-factor-required"

    account = jwt.decode(token, options={"verify_signature": False})["sub"]

    assert account in stack.succeed("accounts", "reset-factor", account)

    assert api.call("POST", "/api/users/token", data=credentials).status_code == 200
    assert stack.run("accounts", "reset-factor", "no id").returncode == 1


def places_with(address: str, stack: RunningStack) -> set[str]:
    """Every database, stream and log of the stack that contains the address.

    Not the oplog, MongoDB's own record of past writes, which cannot be edited: docs/retention.md.
    """
    found = set()
    with MongoClient[dict[str, Any]](stack.state.addresses["mongo"]) as mongo:
        for database in set(mongo.list_database_names()) - {"local"}:
            for collection in mongo[database].list_collection_names():
                if any(address in str(document) for document in mongo[database][collection].find()):
                    found.add(f"{database}.{collection}")

    async def streams() -> None:
        client = await nats.connect(stack.state.addresses["nats"])
        js = client.jetstream()
        for info in await js.streams_info():
            assert info.config.name is not None
            for sequence in range(max(1, info.state.first_seq), info.state.last_seq + 1):
                message = await js.get_msg(info.config.name, sequence)
                if address.encode() in (message.data or b""):
                    found.add(info.config.name)
        await client.close()

    asyncio.run(streams())
    logs = (stack.folder / "logs").iterdir()
    found.update(log.name for log in logs if address in log.read_text(errors="replace"))
    return found


def known_to_auth(stack: RunningStack, order_id: str) -> bool:
    with MongoClient[dict[str, Any]](stack.state.addresses["mongo"]) as mongo:
        return mongo["auth"]["obligations"].find_one({"_id": order_id}) is not None


def test_a_deleted_account_leaves_its_address_nowhere_and_its_unsold_listings_are_withdrawn(
    api: Api, stack: RunningStack
) -> None:
    mark = f"leaver{token_hex(6)}"
    email = f"{mark}@example.com"
    seller = api.account(email, PASSWORD)
    buyer = api.account(f"buyer-{token_hex(4)}@example.com", PASSWORD)
    listed = [
        api.call("POST", "/api/tickets", seller, json={"title": title, "price": 12.5}).json()["id"]
        for title in ("Unsold", "Sold")
    ]
    wait_until(lambda: api.call("POST", "/api/orders", buyer, json={"ticketId": listed[1]}).status_code == 201)
    (order,) = api.pages("/api/orders", buyer)
    leave = {"json": {"password": PASSWORD}}
    wait_until(lambda: known_to_auth(stack, order["id"]))
    assert api.call("DELETE", "/api/users/me", seller, **leave).status_code == 409, "a seat is held"
    paid = api.call("POST", "/api/payments", buyer, json={"orderId": order["id"], "paymentMethodId": "pm_card_visa"})
    assert paid.status_code == 201
    assert api.call("POST", "/api/users/password-reset", json={"email": email}).status_code == 202
    assert places_with(mark, stack) == {"auth.users"}

    wait_until(lambda: api.call("DELETE", "/api/users/me", seller, **leave).status_code == 204)

    wait_until(lambda: statuses(api, seller) == REFUSED)
    wait_until(lambda: api.call("GET", f"/api/tickets/{listed[0]}").status_code == 404)
    assert api.call("GET", f"/api/tickets/{listed[1]}").json()["status"] == "sold", "its buyer and the books need it"
    assert api.call("GET", f"/api/orders/{order['id']}", buyer).json()["status"] == "complete"
    form = {"username": email, "password": PASSWORD}
    unknown = {"username": f"{token_hex(6)}@example.com", "password": PASSWORD}
    answers = [api.call("POST", "/api/users/token", data=one) for one in (form, unknown)]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert places_with(mark, stack) == set()
    stack.succeed("audit")

    assert api.account(email, PASSWORD), "the address may sign up again"
    assert statuses(api, seller) == REFUSED
