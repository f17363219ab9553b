"""`ticketing mail`: what it prints of stored mails."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ticketing_local.mails import mail_app
from ticketing_testkit.inbox import Inbox

pytestmark = pytest.mark.unit

LINK = "http://localhost:3000/verify-email#token=abc_DEF-123"


def run(directory: Path, *words: str) -> Result:
    return CliRunner().invoke(mail_app, [*words, "--data-dir", str(directory)])


def store(directory: Path, subject: str, text: str) -> str:
    mail = f"From: us@example.com\nTo: ann@example.com\nSubject: {subject}\n\n{text}\n"
    return Inbox(directory / "mail").add(mail.replace("\n", "\r\n").encode())


def test_a_link_can_be_copied_from_a_mail_that_is_shown(tmp_path: Path) -> None:
    first = store(tmp_path, "First", f"Confirm:\n{LINK}\n\nBye.")
    store(tmp_path, "Second", "Nothing.")
    shown = run(tmp_path, "show", first)
    assert shown.exit_code == 0
    assert LINK in shown.output.splitlines()
    assert "Second" in run(tmp_path, "show").output, "without an id it is the newest"


def test_a_mail_writes_no_control_characters_to_the_terminal(tmp_path: Path) -> None:
    store(tmp_path, "Hello", "\x1b[31mred\x07")
    assert not {"\x1b", "\x07"} & set(run(tmp_path, "show").output)


def test_no_mail_and_an_unknown_id_are_said_so(tmp_path: Path) -> None:
    assert "No mail yet." in run(tmp_path, "list").output
    missing = run(tmp_path, "show", "00000000000000000001-000000")
    assert missing.exit_code == 1
    stored = store(tmp_path, "Hello " * 20, "Text")
    listed = run(tmp_path, "list").output
    assert "Hello" in listed
    assert stored in listed, "the id is whole, as `show` needs it"
