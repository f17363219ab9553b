"""`ticketing pass verify`, and the test vectors of docs/passes.md."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

import pytest
from typer.testing import CliRunner, Result

from ticketing_common.security import PassCodeError, PassKeys
from ticketing_ops.cli import app
from ticketing_ops.data_dir import DataDir, StackState, repository_root

VECTORS_FILE: Final = repository_root() / "docs/pass-vectors.json"
DOCUMENT: Final[dict[str, Any]] = json.loads(VECTORS_FILE.read_text())
VECTORS: Final[list[dict[str, Any]]] = DOCUMENT["vectors"]
VALID: Final = VECTORS[0]
REFUSED: Final = next(vector for vector in VECTORS if vector["claims"] is None)


def verify(*arguments: object, stdin: str | None = None) -> Result:
    """The command as a user gives it."""
    runner = CliRunner(env={"COLUMNS": "300", "NO_COLOR": "1"})
    return runner.invoke(app, ["pass", "verify", *map(str, arguments)], input=stdin)


@pytest.fixture
def marketplace() -> Iterator[str]:
    """The address of a server that publishes the keys of the vectors, and nothing else."""

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/api/orders/pass-keys"
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(VECTORS_FILE.read_bytes() if found else b"{}")

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002 (the name of the base class)
            """Write no log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Keys) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.unit
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_the_vectors_of_the_documentation_hold(vector: dict[str, Any]) -> None:
    keys = PassKeys.from_jwk_set(DOCUMENT)
    wanted = vector["claims"]
    if wanted is None:
        with pytest.raises(PassCodeError):
            keys.verify(vector["code"])
        return
    claims = keys.verify(vector["code"])
    assert (claims.pass_id, claims.ticket_id, claims.seat) == (wanted["pass"], wanted["ticket"], wanted["seat"])
    assert (claims.starts_at and claims.starts_at.timestamp()) == wanted.get("starts")


@pytest.mark.unit
def test_the_vectors_hold_public_keys_only() -> None:
    assert all(key.keys() == {"kty", "crv", "x", "kid", "use", "alg"} for key in DOCUMENT["keys"])
    assert [key.model_dump() for key in PassKeys.from_jwk_set(DOCUMENT).jwk_set()] == DOCUMENT["keys"]


def test_a_valid_code_is_exit_0_and_its_claims() -> None:
    ended = verify(VALID["code"], "--keys", VECTORS_FILE)
    assert ended.exit_code == 0
    for shown in (VALID["claims"]["pass"], VALID["claims"]["ticket"], "2031-05-01T18:30:00Z"):
        assert shown in ended.stdout


def test_an_invalid_code_is_exit_1_and_the_reason() -> None:
    ended = verify(REFUSED["code"], "--keys", VECTORS_FILE)
    assert ended.exit_code == 1
    assert "The signature of the code is wrong." in ended.stdout


def test_the_output_for_programs_is_one_object() -> None:
    valid, refused = (
        json.loads(verify(one["code"], "--keys", VECTORS_FILE, "--json").stdout) for one in (VALID, REFUSED)
    )
    assert valid == {
        "valid": True,
        "pass": VALID["claims"]["pass"],
        "ticket": VALID["claims"]["ticket"],
        "seat": 7,
        "startsAt": "2031-05-01T18:30:00Z",
    }
    assert refused == {"valid": False, "reason": "The signature of the code is wrong."}


def test_a_code_is_read_from_standard_input() -> None:
    assert verify("-", "--keys", VECTORS_FILE, stdin=f"{VALID['code']}\n").exit_code == 0
    assert verify("-", "--keys", VECTORS_FILE, stdin="x" * 100_000).exit_code == 1


def test_the_keys_of_an_address_and_of_the_running_stack_are_fetched(marketplace: str, tmp_path: Path) -> None:
    assert verify(VALID["code"], "--base-url", f"{marketplace}/").exit_code == 0
    data = DataDir(tmp_path)
    with data.locked():
        data.write_state(StackState(1, "ready", addresses={"orders": marketplace}))
        assert verify(VALID["code"], "--data-dir", tmp_path).exit_code == 0
        assert verify(REFUSED["code"], "--data-dir", tmp_path).exit_code == 1


def test_keys_that_cannot_be_read_are_exit_2(marketplace: str, tmp_path: Path) -> None:
    not_json, no_keys = tmp_path / "text", tmp_path / "empty.json"
    not_json.write_bytes(b"\xff{")
    no_keys.write_text('{"keys": []}')
    for options in (
        ("--keys", tmp_path / "missing"),
        ("--keys", not_json),
        ("--keys", no_keys),
        ("--base-url", f"{marketplace}/elsewhere"),
        ("--base-url", "http://127.0.0.1:1"),
        ("--base-url", "no address"),
        ("--data-dir", tmp_path),
    ):
        ended = verify(VALID["code"], *options)
        assert ended.exit_code == 2, (options, ended.stdout)
        assert ended.stdout.startswith("✗")
