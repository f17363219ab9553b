"""docs/security.md: every requirement of ASVS 5.0 levels 1 and 2 once, and evidence that exists."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "security.md"
REQUIRED = [
    row.split()[0]
    for row in (Path(__file__).parent / "asvs_5_0_0.txt").read_text().splitlines()
    if not row.startswith("#")
]
STATES = {"met", "partly", "open", "not applicable"}
NOT_OURS = {"node_modules", ".venv", ".next", ".local", ".git"}


def _rows() -> list[list[str]]:
    lines = PAGE.read_text().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| V")]


def _tests(text: str) -> list[str]:
    return re.findall(r"`([\w.-]+\.(?:py|ts|tsx)::[^`]+)`", text)


def _links(text: str) -> list[str]:
    return re.findall(r"\]\(([^)]+)\)", text)


@cache
def _test_files() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for part in (
        "auth",
        "client/tests",
        "common",
        "expiration",
        "infra",
        "nats-tests",
        "orders",
        "payments",
        "tickets",
    ):
        for path in _walk(ROOT / part):
            found.setdefault(path.name, []).append(path.read_text())
    return found


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir():
            if path.name not in NOT_OURS and not path.is_symlink():
                yield from _walk(path)
        elif re.fullmatch(r"test_.*\.py|.*\.(test|spec)\.tsx?", path.name):
            yield path


def _exists(test: str) -> bool:
    file, name = test.split("::")
    texts = _test_files().get(file, [])
    if not file.endswith(".py"):  # the beginning of a title, or one of the cases of a table
        return any(f'"{name}' in text for text in texts)
    nodes = (node for text in texts for node in ast.walk(ast.parse(text)))
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name for node in nodes)


def _heading_exists(link: str) -> bool:
    file, _, anchor = link.partition("#")
    path = (PAGE.parent / file).resolve()
    if not path.exists():
        return False
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE) if anchor else []
    slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return not anchor or anchor in slugs


def test_every_requirement_of_levels_1_and_2_is_there_once() -> None:
    listed = Counter(requirement for row in _rows() for requirement in row[0].split(", "))
    assert {requirement: count for requirement, count in listed.items() if count > 1} == {}
    assert sorted(set(REQUIRED) ^ set(listed)) == []
    assert len(REQUIRED) == 253


def test_every_row_has_a_state_and_a_reason() -> None:
    assert [row for row in _rows() if len(row) != 5 or row[2] not in STATES or not row[3]] == []


def test_what_is_met_has_evidence_and_what_is_missing_has_an_issue() -> None:
    rows = _rows()
    assert [row[0] for row in rows if row[2] == "met" and not _tests(row[4]) and not _links(row[4])] == []
    assert [row[0] for row in rows if row[2] in {"partly", "open"} and not re.search(r"[Ii]ssue \d+", row[3])] == []


def test_every_named_test_exists() -> None:
    assert sorted({test for row in _rows() for test in _tests(row[4]) if not _exists(test)}) == []


def test_every_page_and_file_that_is_named_exists() -> None:
    assert [link for row in _rows() for link in _links(row[4]) if not _heading_exists(link)] == []


@pytest.mark.parametrize(
    "test", ["test_security_table.py::test_x", "test_none.py::test_x", "gateway.test.ts::is no title of a test"]
)
def test_a_test_that_is_gone_is_noticed(test: str) -> None:
    assert not _exists(test)


@pytest.mark.parametrize("link", ["none.md", "security.md#no-heading"])
def test_a_page_that_is_gone_is_noticed(link: str) -> None:
    assert not _heading_exists(link)
