"""The tutorial and the how-to pages: paths, commands and names exist, and the example event fits the present code."""

import importlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.core import TyperGroup

from ticketing_common.entity import new_id
from ticketing_common.events import CATALOGUE, Event, TicketEvent, TicketUpdated, parse_event
from ticketing_common.events.documents import event_schema
from ticketing_local.cli import app
from ticketing_testkit.contracts import incompatibilities
from ticketing_tickets.domain import Ticket, TicketDetails

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[1]
PAGES = [*sorted((ROOT / "docs" / "how-to").glob("*.md")), ROOT / "docs" / "tutorial.md"]
EVENT_PAGE = ROOT / "docs" / "how-to" / "add-an-event.md"

SOURCES = ("*/src/**/*.py", "infra/*/src/**/*.py", "infra/k8s/**/*.py", "infra/k8s*/**/*.yaml", "Makefile")
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
ROOTS = {entry.name for entry in ROOT.iterdir()}


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language; shell blocks have no language."""
    return [body for _, named, body in FENCE.findall(page.read_text()) if named == language]


def paths(page: Path) -> set[str]:
    """All paths of the repository in backticks; `<…>` is a placeholder."""
    prose = FENCE.sub("", page.read_text())
    named = {text for text in re.findall(r"`([^`\s]+)`", prose) if "/" in text and "<" not in text and "…" not in text}
    return {text for text in named if text.partition("/")[0] in ROOTS}


def constants(page: Path) -> set[str]:
    """The constants and variables in backticks."""
    return set(re.findall(r"`([A-Z][A-Z_]{2,})`", FENCE.sub("", page.read_text())))


@pytest.fixture(scope="module")
def words() -> set[str]:
    """Every word of the sources. A setting is there in lower case, and its variable in the environment in capitals."""
    files = (file for pattern in SOURCES for file in ROOT.glob(pattern))
    found = {word for file in files for word in re.findall(r"\w+", file.read_text())}
    return found | {word.upper() for word in found if word.islower()}


def commands(page: Path) -> list[str]:
    return [line.split("  #")[0].strip() for block in blocks(page, "") for line in block.splitlines() if line.strip()]


def make_targets() -> set[str]:
    files = [ROOT / "Makefile", *(ROOT / "infra" / "ci").glob("*.mk")]
    return {target for file in files for target in re.findall(r"^([a-z-]+):", file.read_text(), re.MULTILINE)}


def unknown_subcommand(words: list[str]) -> str | None:
    """The first word that is not a command of `ticketing`; words after the last command are its arguments."""
    command: object = typer.main.get_command(app)
    for word in words:
        if not isinstance(command, TyperGroup):
            return None
        if word not in command.commands:
            return f"no command {word}"
        command = command.commands[word]
    return None


def fault_of(command: str) -> str | None:
    """The error in a command, as far as it can be found without running it."""
    words = [word for word in command.split() if not re.fullmatch(r"[A-Z_]+=\S*", word)]
    if words[0] == "make":
        return None if words[1] in make_targets() else f"no target {words[1]}"
    if words[0] in (".venv/bin/pytest", ".venv/bin/python", "curl", "git", "npm", "cd"):
        named = [word for word in words[1:] if word.partition("/")[0] in ROOTS and "<" not in word]
        missing = [word for word in named if not (ROOT / word).exists()]
        return f"no {missing}" if missing else None
    if words[0] == ".venv/bin/ticketing":
        return unknown_subcommand(words[1:])
    return f"{words[0]} is not known to this test"


def test_how_to_pages_exist() -> None:
    assert EVENT_PAGE in PAGES
    assert len(paths(EVENT_PAGE)) > 15
    assert len(commands(EVENT_PAGE)) > 8


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    assert [path for path in sorted(paths(page)) if not (ROOT / path).exists()] == []
    assert [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_constant_that_a_page_names_exists(page: Path, words: set[str]) -> None:
    assert sorted(constants(page) - words) == []


def test_a_constant_that_does_not_exist_is_found(words: set[str]) -> None:
    assert "HEARS" not in words
    assert {"SERVICES", "RESERVATION_WINDOW_SECONDS"} <= words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_page_exists(page: Path) -> None:
    assert {command: fault for command in commands(page) if (fault := fault_of(command))} == {}


@pytest.mark.parametrize(
    "command", ["make nothing", ".venv/bin/pytest -q nats-tests/test_nothing.py", ".venv/bin/ticketing nothing", "rm x"]
)
def test_a_command_that_does_not_exist_is_found(command: str) -> None:
    assert fault_of(command)


@pytest.fixture
def worked() -> dict[str, Any]:
    """The names that the page's snippets define; each runs in the namespace of the module that its first line names."""
    defined: dict[str, Any] = {}
    for block in blocks(EVENT_PAGE, "python"):
        where = block.splitlines()[0].removeprefix("# ")
        assert (ROOT / where).is_file(), where
        module = ".".join(Path(where.partition("/src/")[2]).with_suffix("").parts)
        # The page mentions the import of TicketEvent without showing it.
        names = {**vars(importlib.import_module(module)), "TicketEvent": TicketEvent, **defined}
        before = set(names)
        exec(compile(block, where, "exec"), names)  # noqa: S102 (our own page)
        defined |= {
            name: value for name, value in names.items() if name not in before or name in ("edit", "subscriptions")
        }
        defined.pop("__builtins__", None)
    return defined


@pytest.fixture
def repriced(worked: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> type[Event]:
    event: type[Event] = worked["TicketRepriced"]
    monkeypatch.setitem(CATALOGUE, event.NAME, event)
    return event


def test_the_example_event_is_new(worked: dict[str, Any]) -> None:
    assert worked["TicketRepriced"].NAME not in CATALOGUE


def test_the_example_body_survives_a_round_trip(repriced: type[Event]) -> None:
    (example,) = blocks(EVENT_PAGE, "json")
    body = json.loads(example)
    event = parse_event(f"{repriced.NAME}.{body['subject']}", example.encode())
    assert type(event) is repriced
    assert json.loads(event.to_json()) == body


def test_the_schema_of_the_example_event_is_its_first_contract(repriced: type[Event]) -> None:
    schema = event_schema(repriced.NAME)
    assert schema["title"] == "dev.ticketing.ticket.repriced.v1"
    assert incompatibilities(schema, schema) == []


@pytest.mark.parametrize(("price_cents", "expected"), [(2_500, "ticket.repriced"), (1_999, "ticket.updated")])
async def test_the_example_use_case_publishes_for_a_price_change_only(
    worked: dict[str, Any], price_cents: int, expected: str
) -> None:
    ticket = Ticket(user_id=new_id(), title="Seat 7", price_cents=1_999, currency="usd", version=1)
    published: list[Event] = []

    class Tickets:
        """Stores nothing: the test checks which publisher the use case selects."""

        async def update(self, _ticket_id: str, change: Callable[[Ticket], Callable[[Ticket], Event] | None]) -> Ticket:
            if publish := change(ticket):
                published.append(publish(ticket))
            return ticket

    class Service:
        _tickets = Tickets()
        edit = worked["edit"]

    await Service().edit(ticket.id, ticket.user_id, TicketDetails(title="Seat 8", price_cents=price_cents))

    assert [(event.NAME, event.data.model_dump()["price_cents"]) for event in published] == [(expected, price_cents)]
    assert isinstance(published[0], TicketUpdated) is (expected == "ticket.updated")


async def test_the_example_handler_passes_the_state_to_the_use_case(
    worked: dict[str, Any], repriced: type[Event]
) -> None:
    (example,) = blocks(EVENT_PAGE, "json")
    event = repriced.model_validate_json(example)
    followed: list[Any] = []

    class Service:
        async def follow_ticket(self, data: Any) -> None:
            followed.append(data)

        async def follow_tickets_on_sale(self, events: Any) -> None:
            raise AssertionError(events)

    (tickets,) = worked["subscriptions"](Service())

    await tickets.handlers[repriced](event)

    assert followed == [event.data]
