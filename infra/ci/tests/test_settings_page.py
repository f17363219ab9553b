"""docs/settings.md is made from the settings classes, and says something about every setting."""

import re
from pathlib import Path

import pytest

from ticketing_ci.settings_page import settings_page

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]


def test_the_page_is_that_of_the_settings() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == settings_page(), "run `make docs`"


def test_every_setting_has_a_meaning_and_a_type() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.*?) \| (.*?) \| (.*) \|$", settings_page(), re.MULTILINE)
    assert len(rows) > 40
    assert [row for row in rows if not all(row) or "None" in row] == []
