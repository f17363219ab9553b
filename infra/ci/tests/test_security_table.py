"""docs/security.md: every row has a state, and every test that it names exists."""

import ast
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
STATES = {"met", "partly", "not yet", "not applicable", "not verified"}


def _rows() -> list[list[str]]:
    lines = (ROOT / "docs" / "security.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| V")]
    assert len(cells) > 30
    return cells


def _tests(text: str) -> list[str]:
    return re.findall(r"`([\w./-]+\.py::\w+)`", text)


def _exists(test: str) -> bool:
    path, name = test.split("::")
    if not (ROOT / path).is_file():
        return False
    nodes = ast.walk(ast.parse((ROOT / path).read_text()))
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name for node in nodes)


def test_every_row_has_a_state_and_a_reason() -> None:
    assert [row for row in _rows() if len(row) != 4 or row[1] not in STATES or not row[2]] == []


def test_every_requirement_that_is_met_names_a_test() -> None:
    assert [row[0] for row in _rows() if row[1] == "met" and not _tests(row[3])] == []


def test_every_named_test_exists() -> None:
    assert [test for row in _rows() for test in _tests(row[3]) if not _exists(test)] == []


@pytest.mark.parametrize("test", ["infra/ci/tests/test_security_table.py::test_x", "no/file.py::test_x"])
def test_a_test_that_is_gone_is_noticed(test: str) -> None:
    assert not _exists(test)
