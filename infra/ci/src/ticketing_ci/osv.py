"""Known vulnerabilities by osv-scanner, for Python and npm in one report (https://google.github.io/osv-scanner/output)."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from .audit import AuditError, Finding

__all__ = ["Package", "locked_packages", "osv_audit", "osv_findings", "scanner"]

Package: TypeAlias = tuple[str, str, str]
"""Ecosystem, name and version; PyPI's names in their normal form."""

FOUND_NOTHING, FOUND_SOME = 0, 1
"""Exit codes of a complete scan; every other code is a failure, also of the API."""
MODERATE: Final = 4.0
"""The lowest CVSS score of "moderate": below it npm's packages do not count, as with `npm audit`."""


def scanner(folder: Path) -> str | None:
    """The program in the folder of the pipeline's tools or on PATH; None if it is not installed."""
    return shutil.which("osv-scanner", path=str(folder)) or shutil.which("osv-scanner")


def osv_audit(program: str, locks: Iterable[Path], npm_lock: Path) -> list[Finding]:
    """Scan all locks; raises `AuditError` when the scan failed or a locked package is not in its report."""
    locks = list(locks)
    sources = [f"requirements.txt:{lock}" for lock in locks] + [f"package-lock.json:{npm_lock}"]
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
    return osv_findings(report, locked_packages((lock.read_text() for lock in locks), npm_lock.read_text()))


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
