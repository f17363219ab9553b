"""The questions asked of git, in a repository made for it."""

import subprocess
from pathlib import Path

import pytest

from ticketing_ci.git import changed_paths, content_tag, last_change, messages


def _git(*arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *identity, *arguments], capture_output=True, text=True, check=True).stdout.strip()


def _commit(message: str, **files: str) -> str:
    for name, text in files.items():
        path = Path(name.replace("__", "/"))
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    _git("add", "--all")
    _git("commit", "--quiet", "--no-verify", "--allow-empty", "--message", message)
    return _git("rev-parse", "HEAD")


@pytest.fixture(autouse=True)
def _repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):  # set when a hook runs the tests
        monkeypatch.delenv(name, raising=False)
    _git("init", "--quiet", "--initial-branch", "main")


def test_what_came_to_main_meanwhile_is_not_the_branchs_change() -> None:
    _commit("Begin", orders__a="1", auth__a="1")
    _git("switch", "--quiet", "--create", "branch")
    head = _commit("Change orders", orders__a="2")
    _git("switch", "--quiet", "main")
    base = _commit("Change auth", auth__a="2")

    assert changed_paths(base, head) == ["orders/a"]


def test_a_renamed_file_counts_in_both_places() -> None:
    base = _commit("Begin", orders__a="a long enough text to be found again\n" * 5)
    Path("auth").mkdir()
    _git("mv", "orders/a", "auth/a")
    _commit("Move it")

    assert changed_paths(base, "HEAD") == ["auth/a", "orders/a"]


@pytest.mark.parametrize("base", ["", "0" * 40, "feedfacefeedfacefeedfacefeedfacefeedface"])
def test_a_base_that_is_not_known_says_nothing(base: str) -> None:
    _commit("Begin", a="1")

    assert changed_paths(base, "HEAD") is None


def test_names_come_as_they_are() -> None:
    base = _commit("Begin")
    Path("docs").mkdir()
    (Path("docs") / "größe [1].md").write_text("x")
    _commit("Add a page")

    assert changed_paths(base, "HEAD") == ["docs/größe [1].md"]


def test_an_image_is_named_after_its_content_and_not_after_the_commit() -> None:
    first = _commit("Begin", orders__a="1", auth__a="1")
    tag = content_tag(("orders/",))
    _commit("Change auth", auth__a="2")
    unchanged = content_tag(("orders/",))
    last = _commit("Change orders", orders__a="2")
    changed = content_tag(("orders/",))
    _commit("Change it back", orders__a="1")

    assert unchanged == tag != changed
    assert content_tag(("orders/",)) == tag
    assert last_change(("orders/",), last) == last
    assert last_change(("auth/",), first) == first


def test_the_messages_that_a_branch_adds() -> None:
    base = _commit("Begin", a="1")
    _commit("Add b\n\nIt was missing.", b="1")
    _commit("Add c", c="1")

    assert messages(base, "HEAD") == ["Add c", "Add b\n\nIt was missing."]
    assert messages("", "HEAD") == ["Add c"]
