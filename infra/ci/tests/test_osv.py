"""osv-scanner's report: what counts, and that a package or a scan that is missing is not taken for a clean one."""

import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from ticketing_ci import git
from ticketing_ci.osv import (
    AuditError,
    Finding,
    locked_packages,
    osv_audit,
    osv_findings,
    scanner,
    server_packages,
)

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
PYTHON = 'left-pad==1.0 ; python_version < "3.12" \\\n    --hash=sha256:00\nextra[more]==2.0 \\\n    --hash=sha256:00\n'
NPM = json.dumps(
    {
        "packages": {
            "": {"name": "client", "version": "1"},
            "node_modules/a": {"version": "3.0"},
            "node_modules/a/node_modules/@b/c": {"version": "4.0"},
            "node_modules/alias": {"name": "real", "version": "5.0"},
            "node_modules/own": {"link": True},
        }
    }
)
LOCKED = {
    ("PyPI", "left-pad", "1.0"),
    ("PyPI", "extra", "2.0"),
    *(("npm", "a", "3.0"), ("npm", "@b/c", "4.0"), ("npm", "real", "5.0")),
    ("Bitnami", "mongodb", "8.0.29"),
}
SERVERS = {one for one in LOCKED if one[0] == "Bitnami"}


def row(ecosystem: str, name: str, version: str, *groups: dict[str, Any]) -> dict[str, Any]:
    package = {"ecosystem": ecosystem, "name": name, "version": version}
    return {"package": package} | ({"groups": list(groups)} if groups else {})


def report(*rows: dict[str, Any]) -> dict[str, Any]:
    clean = [row(*package) for package in sorted(LOCKED) if package[1] not in {one["package"]["name"] for one in rows}]
    return {"results": [{"source": {"path": "x", "type": "lockfile"}, "packages": [*clean, *rows]}]}


def test_everything_in_the_locks_is_to_be_looked_up() -> None:
    assert locked_packages([PYTHON], NPM) == LOCKED - SERVERS
    locks = [path.read_text() for path in ROOT.glob("*/requirements.lock")]
    real = locked_packages(locks, (ROOT / "client/package-lock.json").read_text())
    assert len([package for package in real if package[0] == "PyPI"]) > 50
    assert len([package for package in real if package[0] == "npm"]) > 100


def test_a_vulnerability_has_all_its_names_and_counts_once() -> None:
    group = {"ids": ["GHSA-1", "PYSEC-1"], "aliases": ["CVE-1", "GHSA-1"], "max_severity": "2.0"}
    found = osv_findings(report(row("PyPI", "left-pad", "1.0", group, group)), LOCKED)
    assert found == [Finding("left-pad", frozenset({"GHSA-1", "PYSEC-1", "CVE-1"}))]


@pytest.mark.parametrize(("score", "count"), [("3.9", 0), ("4.0", 1), ("9.8", 1), ("", 1), ("unknown", 1)])
def test_npm_counts_from_moderate_upwards_and_without_a_score(score: str, count: int) -> None:
    group = {"ids": ["GHSA-1"], "aliases": None, "max_severity": score}
    assert len(osv_findings(report(row("npm", "a", "3.0", group)), LOCKED)) == count


@pytest.mark.parametrize("missing", [("PyPI", "extra", "2.1"), ("npm", "@b/c", "9")])
def test_a_package_that_was_not_looked_up_is_not_taken_for_a_safe_one(missing: tuple[str, str, str]) -> None:
    with pytest.raises(AuditError, match=f"1 packages, {missing[1]}"):
        osv_findings(report(), {*LOCKED, missing})


def test_names_of_pypi_are_compared_in_their_normal_form() -> None:
    assert osv_findings(report(row("PyPI", "Left_Pad", "1.0")), LOCKED - {("PyPI", "left-pad", "1.0")}) == []
    osv_findings(report(row("PyPI", "Left.Pad", "7")), {("PyPI", "left-pad", "7")})


@pytest.mark.parametrize(
    ("code", "printed", "fails"),
    [
        (0, report(), False),
        (1, report(), False),
        *((code, report(), True) for code in (2, 127, 128, 129, 130)),
        (0, None, True),
        (0, {"results": []}, True),
    ],
)
def test_a_scan_that_failed_is_not_taken_for_a_clean_report(
    tmp_path: Path, code: int, printed: object, fails: bool
) -> None:
    """A program in its place, since the scanner itself needs the network."""
    (tmp_path / "requirements.lock").write_text(PYTHON)
    (tmp_path / "package-lock.json").write_text(NPM)
    (tmp_path / "out").write_text("" if printed is None else json.dumps(printed))
    program = tmp_path / "osv-scanner"
    program.write_text(f'#!/bin/sh\ncat "{tmp_path}/out"\nexit {code}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)

    def scan() -> list[Finding]:
        return osv_audit(str(program), [tmp_path / "requirements.lock"], tmp_path / "package-lock.json", SERVERS)

    if fails:
        with pytest.raises(AuditError):
            scan()
    else:
        assert scan() == []


def test_without_the_scanner_nothing_passes_as_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AuditError, match="make osv-scanner"):
        scanner(tmp_path)


def test_every_server_of_the_manifests_is_looked_up_by_its_version() -> None:
    manifests = [(ROOT / path).read_text() for path in git.tracked("infra/k8s*.yaml")]
    found = server_packages(manifests)
    assert {name for _, name, _ in found} == {
        *("mongodb", "nats", "valkey", "github.com/axllent/mailpit"),
        "go.opentelemetry.io/collector/config/confighttp",
    }
    assert all(re.search(f":v?{re.escape(version)}", "".join(manifests)) for _, _, version in found)
    assert server_packages(["image: ticketing/auth:0.1.0\n  image: nats:2.15.1-alpine"]) == {
        ("Bitnami", "nats", "2.15.1")
    }


def test_an_image_without_a_name_in_the_database_is_not_taken_for_a_safe_one() -> None:
    with pytest.raises(AuditError, match="image postgres"):
        server_packages(["image: postgres:18"])


def test_a_vulnerable_server_is_a_finding() -> None:
    group = {"ids": ["BIT-mongodb-1"], "aliases": ["CVE-1"], "max_severity": "9.8"}
    found = osv_findings(report(row("Bitnami", "mongodb", "8.0.29", group)), LOCKED)
    assert found == [Finding("mongodb", frozenset({"BIT-mongodb-1", "CVE-1"}))]
