"""The users of replica-set.js on a real mongod with authentication: what a stolen password allows."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from ticketing_testkit.servers import Mongod

SCRIPT = Path(__file__).resolve().parents[1] / "databases" / "replica-set.js"
OWN = "tickets"
UNAUTHORIZED = 13

Client: TypeAlias = MongoClient[dict[str, Any]]


class _GuardedMongod(Mongod):
    """A standalone server, because a replica set with authentication needs a key file; the roles are the same."""

    def command(self) -> Sequence[str]:
        command = list(super().command())
        at = command.index("--replSet")
        return [*command[:at], *command[at + 2 :], "--auth"]

    def is_ready(self) -> bool:
        client: Client = MongoClient(self.address(), serverSelectionTimeoutMS=300)
        try:
            return bool(client.admin.command("ping")["ok"])
        except PyMongoError:
            return False
        finally:
            client.close()

    def address(self, login: str = "") -> str:
        return f"mongodb://{login}127.0.0.1:{self.port}/?directConnection=true"


def _users() -> list[dict[str, Any]]:
    """`USERS` of the script for the database `OWN`."""
    found = re.search(r"const USERS = (\[.*?\n\]);", SCRIPT.read_text(), re.DOTALL)
    assert found is not None
    text = re.sub(r"//.*", "", found[1]).replace("db: database", f'db: "{OWN}"')
    users: list[dict[str, Any]] = json.loads(re.sub(r",(\s*\])", r"\1", re.sub(r"(\w+):", r'"\1":', text)))
    return users


@pytest.fixture(scope="module")
def login(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Client]]:
    """Returns a client for each user; the databases of two services have one document each."""
    mongod = _GuardedMongod(tmp_path_factory.mktemp("mongod"))
    mongod.start()
    clients: list[Client] = []

    def log_in(user: str) -> Client:
        clients.append(MongoClient(mongod.address(f"{user}:secret@")))
        return clients[-1]

    try:
        first: Client = MongoClient(mongod.address())
        first.admin.command("createUser", "admin", pwd="secret", roles=["root"])
        first.close()
        admin = log_in("admin")
        for user in _users():
            admin.admin.command("createUser", user["user"], pwd="secret", roles=user["roles"])
        for database in (OWN, "auth"):
            admin[database].things.insert_one({"_id": "1"})
        yield log_in
    finally:
        for client in clients:
            client.close()
        mongod.stop()


def _refused(call: Callable[[], object]) -> bool:
    try:
        call()
    except OperationFailure as error:
        return error.code == UNAUTHORIZED
    return False


def _writes(client: Client, database: str) -> list[Callable[[], object]]:
    things = client[database].things
    return [
        lambda: things.insert_one({"_id": "2"}),
        lambda: things.update_one({"_id": "1"}, {"$set": {"forged": True}}),
        lambda: things.delete_one({"_id": "1"}),
        lambda: things.create_index("forged"),
        lambda: things.drop(),
        lambda: client.drop_database(database),
        lambda: client.admin.command("renameCollection", f"{database}.things", to=f"{database}.gone"),
    ]


def test_the_backup_cannot_write_and_the_drill_writes_to_its_own_database_only(login: Callable[[str], Client]) -> None:
    client = login("backup")
    for database in (OWN, "auth"):
        assert client[database].things.find_one({"_id": "1"}) is not None
        assert [_refused(write) for write in _writes(client, database)] == [True] * 7
    assert _refused(lambda: client.admin.command("createUser", "mine", pwd="x", roles=["root"]))
    assert _refused(lambda: client.admin.command("grantRolesToUser", "backup", roles=["root"]))

    drill = client["restore_drill"]
    drill.things.insert_many([{"_id": "1"}, {"_id": "2"}])
    drill.things.create_index("name")
    assert (drill.list_collection_names(), drill.things.count_documents({})) == (["things"], 2)
    drill.things.drop()
    client.drop_database("restore_drill")


def test_the_audit_reads_one_database_and_writes_none(login: Callable[[str], Client]) -> None:
    client = login("reader")
    assert client[OWN].things.find_one({"_id": "1"}) is not None
    assert _refused(lambda: client["auth"].things.find_one({}))
    assert [_refused(write) for write in _writes(client, OWN)] == [True] * 7


def test_a_service_has_its_own_database_and_no_other(login: Callable[[str], Client]) -> None:
    client = login("service")
    client[OWN].things.insert_one({"_id": "mine"})
    assert _refused(lambda: client["auth"].things.find_one({}))
    assert [_refused(write) for write in _writes(client, "auth")] == [True] * 7
    assert _refused(lambda: client.admin.command("createUser", "mine", pwd="x", roles=["root"]))
