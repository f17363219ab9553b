"""The scripts of the backup and of its drill, run as they are."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[1] / "components" / "operations"


def _run(script: str, folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run with a `mongodump` and a `mongorestore` that leave a trace, to see that they do not run."""
    for name in ("mongodump", "mongorestore"):
        (folder / name).write_text(f"#!/bin/sh\ntouch {folder}/{name}-ran\n")
        (folder / name).chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", str(SCRIPTS / script)],
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("content", [None, ""])
def test_no_backup_is_written_without_a_key_to_encrypt_it_for(tmp_path: Path, content: str | None) -> None:
    backups, recipients = tmp_path / "backups", tmp_path / "recipients"
    backups.mkdir()
    if content is not None:
        recipients.write_text(content)
    done = _run("backup.sh", tmp_path, RECIPIENTS=str(recipients), BACKUPS=str(backups))
    assert done.returncode == 1
    assert "backup-recipients" in done.stderr
    assert list(backups.iterdir()) == []
    assert not (tmp_path / "mongodump-ran").exists()


def test_an_archive_that_cannot_be_encrypted_fails_the_backup_and_gets_no_final_name(tmp_path: Path) -> None:
    backups, recipients = tmp_path / "backups", tmp_path / "recipients"
    backups.mkdir()
    recipients.write_text("age1")
    (tmp_path / "age").write_text("#!/bin/sh\ncat > /dev/null\necho 'malformed recipient' >&2\nexit 1\n")
    (tmp_path / "age").chmod(0o755)
    done = _run("backup.sh", tmp_path, RECIPIENTS=str(recipients), BACKUPS=str(backups))
    assert done.returncode == 1
    assert [file.suffix for file in backups.iterdir()] == [".part"]


def test_the_drill_says_that_it_lacks_the_private_key(tmp_path: Path) -> None:
    done = _run("restore-drill.sh", tmp_path, IDENTITY=str(tmp_path / "absent"))
    assert done.returncode == 1
    assert "backup-identity" in done.stderr
    assert not (tmp_path / "mongorestore-ran").exists()
