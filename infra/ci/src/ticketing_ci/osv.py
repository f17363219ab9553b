"""Known vulnerabilities of Python and npm packages and of the servers, by osv-scanner; some allowed until a date.

https://google.github.io/osv-scanner/output
"""

import json
import re
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final, TypeAlias

Package: TypeAlias = tuple[str, str, str]
"""Ecosystem, name and version; PyPI's names in their normal form."""

FOUND_NOTHING, FOUND_SOME = 0, 1
"""Exit codes of a complete scan; every other code is a failure, also of the API."""
SERVERS: Final[Mapping[str, tuple[str, str]]] = {
    "mongo": ("Bitnami", "mongodb"),
    "nats": ("Bitnami", "nats"),
    "valkey/valkey": ("Bitnami", "valkey"),
    "axllent/mailpit": ("Go", "github.com/axllent/mailpit"),
    # Of its modules, the one that connects; all of a release have one version.
    "otel/opentelemetry-collector-k8s": ("Go", "go.opentelemetry.io/collector/config/confighttp"),
}
"""Ecosystem and name in OSV's database, by the repositories of the images. Bitnami has servers by their versions."""
MODERATE: Final = 4.0
"""The lowest CVSS score of "moderate": below it npm's packages do not count, as with `npm audit`."""


class AuditError(RuntimeError):
    """The result is unknown, because the scanner is missing, failed, or looked up a part only."""


@dataclass(frozen=True)
class Finding:
    """One vulnerability of one package, with all its ids."""

    package: str
    names: frozenset[str]

    def __str__(self) -> str:
        return f"{self.package}: {', '.join(sorted(self.names))}"


def scanner(folder: Path) -> str:
    """The program in the folder of the pipeline's tools or on PATH; raises `AuditError` if it is not installed."""
    program = shutil.which("osv-scanner", path=str(folder)) or shutil.which("osv-scanner")
    if program is None:
        raise AuditError("osv-scanner is not installed: make osv-scanner (needs Go)")
    return program


def osv_audit(program: str, locks: Iterable[Path], npm_lock: Path, servers: Iterable[Package]) -> list[Finding]:
    """Scan all locks and servers; raises `AuditError` when the scan failed or its report lacks one of them."""
    locks, servers = list(locks), list(servers)
    with tempfile.TemporaryDirectory() as folder:
        server_lock = Path(folder, "osv-scanner.json")  # the scanner's format for what it cannot read by itself
        rows = [{"package": {"ecosystem": one[0], "name": one[1], "version": one[2]}} for one in servers]
        server_lock.write_text(json.dumps({"results": [{"packages": rows}]}))
        report = _scan(
            program,
            [f"requirements.txt:{lock}" for lock in locks]
            + [f"package-lock.json:{npm_lock}", f"osv-scanner:{server_lock}"],
        )
    locked = locked_packages((lock.read_text() for lock in locks), npm_lock.read_text())
    return osv_findings(report, locked | set(servers))


def allowed_findings(allowances: Path, today: date) -> dict[str, frozenset[str]]:
    """The vulnerability ids that are accepted for each package until a future day."""
    allowed: dict[str, frozenset[str]] = {}
    for row in tomllib.loads(allowances.read_text()).get("vulnerability", []):
        if row["reason"] and today < row["until"]:
            allowed[row["package"]] = allowed.get(row["package"], frozenset()) | {row["id"]}
    return allowed


def remaining(found: Iterable[Finding], allowed: Mapping[str, frozenset[str]]) -> list[Finding]:
    """The findings that are not allowed."""
    return [finding for finding in found if not finding.names & allowed.get(finding.package, frozenset())]


def server_packages(manifests: Iterable[str]) -> set[Package]:
    """The servers whose images the manifests name, without our own; raises `AuditError` for an unknown image."""
    found = set()
    for name, version in re.findall(r"image: (?!ticketing/)(\S+):v?([0-9.]+)", "\n".join(manifests)):
        if name not in SERVERS:
            raise AuditError(f"the image {name} has no name in OSV's database yet (SERVERS in osv.py)")
        found.add((*SERVERS[name], version))
    return found


def _scan(program: str, sources: Iterable[str]) -> Mapping[str, Any]:
    arguments = [argument for source in sources for argument in ("--lockfile", source)]
    options = ["--format", "json", "--all-packages", "--no-resolve", "--verbosity", "error"]
    done = subprocess.run(
        [program, "scan", "source", *options, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode not in (FOUND_NOTHING, FOUND_SOME):
        raise AuditError(f"osv-scanner ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    try:
        report: Mapping[str, Any] = json.loads(done.stdout)
    except json.JSONDecodeError:
        raise AuditError(f"osv-scanner: no report; {done.stderr.strip()[-400:]}") from None
    return report


def locked_packages(python_locks: Iterable[str], npm_lock: str) -> set[Package]:
    """All packages of the locks."""
    found = {
        ("PyPI", _normal(name), version)
        for text in python_locks
        for name, version in re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", text, re.MULTILINE)
    }
    for place, package in json.loads(npm_lock)["packages"].items():
        if place and not package.get("link"):
            name = package.get("name") or place.rpartition("node_modules/")[2]
            found.add(("npm", name, package["version"]))
    return found


def osv_findings(report: Mapping[str, Any], locked: Iterable[Package]) -> list[Finding]:
    """Read the report; raises `AuditError` for a locked package that is missing in it, because it was not checked."""
    looked_up: set[Package] = set()
    found: set[Finding] = set()
    for row in (row for source in report["results"] for row in source["packages"]):
        about = row["package"]
        ecosystem, name = about["ecosystem"], about["name"]
        looked_up.add((ecosystem, _normal(name) if ecosystem == "PyPI" else name, about["version"]))
        for group in row.get("groups", ()):
            if not (ecosystem == "npm" and _is_low(group.get("max_severity", ""))):
                found.add(Finding(name, frozenset({*group["ids"], *(group.get("aliases") or ())})))
    if missed := sorted(set(locked) - looked_up):
        raise AuditError(f"osv-scanner did not look up {len(missed)} packages, {missed[0][1]} among them")
    return sorted(found, key=str)


def _is_low(score: str) -> bool:
    """Whether the score is below the limit; a vulnerability without a score counts."""
    try:
        return float(score) < MODERATE
    except ValueError:
        return False


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()  # PEP 503
