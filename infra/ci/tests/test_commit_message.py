"""What a commit message may look like."""

import pytest

from ticketing_ci.commit_message import problems

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "message",
    [
        "Add a row for the bench",
        "Wait in tests for what is awaited; leave the formatting as ruff has it",
        "Seed the demo once",
        "Add b\n\nIt was missing.\n",
        "Add b\n# Please enter the commit message\n",
        "Add b\n\n# ------------------------ >8 ------------------------\ndiff --git a/x b/x\nno rule reads this.",
        "Merge branch 'x'",
        "fixup! Add b",
        'Revert "Add b"',
    ],
)
def test_good_messages(message: str) -> None:
    assert problems(message) == []


@pytest.mark.parametrize(
    ("message", "word"),
    [
        ("", "empty"),
        ("# only a comment", "empty"),
        ("add b", "capital"),
        ("fix: add b", "capital"),
        ("Added b", "order"),
        ("Adding b", "order"),
        ("Adds b", "order"),
        ("Add b.", "full stop"),
        ("Add b\nand c", "empty line"),
        ("Add " + "b" * 120, "characters"),
    ],
)
def test_bad_messages(message: str, word: str) -> None:
    assert [problem for problem in problems(message) if word in problem]
