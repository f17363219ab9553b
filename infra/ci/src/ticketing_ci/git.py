"""Queries to git."""

import hashlib
import subprocess


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout


def _known(commit: str) -> bool:
    # The base of a new branch is forty zeros, and a base can be lost by a rewritten history.
    found = subprocess.run(["git", "cat-file", "-e", f"{commit}^{{commit}}"], capture_output=True, check=False)
    return bool(commit) and found.returncode == 0


def changed_paths(base: str, head: str) -> list[str] | None:
    """Paths that changed since the common ancestor; None if the base is unknown in this clone.

    A rename counts as a deletion and an addition, so that the old location is tested too.
    """
    if not _known(base):
        return None
    return _git("diff", "--name-only", "--no-renames", "-z", f"{base}...{head}").split("\0")[:-1]


def messages(base: str, head: str) -> list[str]:
    """The messages of the commits that `head` adds, without merges; of `head` alone if the base is unknown."""
    wanted = [f"{base}..{head}"] if _known(base) else ["-1", head]
    return [text.strip("\n") for text in _git("log", "--no-merges", "--format=%B%x00", *wanted).split("\0")[:-1]]


def tracked(*paths: str) -> list[str]:
    """Every tracked file, or those below the given paths."""
    return _git("ls-files", "-z", "--", *paths).split("\0")[:-1]


def content_tag(inputs: tuple[str, ...], commit: str = "HEAD") -> str:
    """A digest of the content of these paths, which does not depend on the commit."""
    listing = _git("ls-tree", "-r", "--full-tree", commit, "--", *inputs)
    return f"src-{hashlib.sha256(listing.encode()).hexdigest()[:24]}"


def last_change(inputs: tuple[str, ...], commit: str = "HEAD") -> str:
    """The commit that last touched them."""
    return _git("log", "-1", "--format=%H", commit, "--", *inputs).strip()
