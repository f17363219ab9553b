"""Known vulnerabilities in the locks, from pip-audit and npm audit, without those allowed with reason and date."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

__all__ = [
    "AuditError",
    "Finding",
    "allowed_findings",
    "npm_audit",
    "npm_findings",
    "pip_audit",
    "pip_findings",
    "remaining",
]

SERIOUS = ("moderate", "high", "critical")


class AuditError(RuntimeError):
    """The result is unknown, because an auditor could not reach its source."""


@dataclass(frozen=True)
class Finding:
    """One vulnerability of one package, with all its ids."""

    package: str
    names: frozenset[str]

    def __str__(self) -> str:
        return f"{self.package}: {', '.join(sorted(self.names))}"


def pip_findings(report: Mapping[str, Any]) -> list[Finding]:
    """Read pip-audit's report; raises `AuditError` for a skipped package, which pip-audit treats as a success."""
    skipped = [row["name"] for row in report["dependencies"] if "skip_reason" in row]
    if skipped:
        raise AuditError(f"pip-audit could not look up {len(skipped)} packages, {skipped[0]} among them")
    return [
        Finding(row["name"], frozenset({found["id"], *found.get("aliases", ())}))
        for row in report["dependencies"]
        for found in row.get("vulns", ())
    ]


def npm_findings(report: Mapping[str, Any]) -> list[Finding]:
    """Read npm audit's report, from moderate upwards; raises `AuditError` when npm reports a failure instead."""
    if "vulnerabilities" not in report:
        raise AuditError(f"npm audit: {report.get('message') or report.get('error')}")
    # A plain string is the name of the dependency that causes it, which has a separate entry.
    return [
        Finding(package, frozenset({str(cause["url"]).rsplit("/", 1)[-1]}))
        for package, about in report["vulnerabilities"].items()
        for cause in about["via"]
        if not isinstance(cause, str) and cause["severity"] in SERIOUS
    ]


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


def pip_audit(locks: Iterable[Path]) -> list[Finding]:
    """Audit each lock; raises `AuditError`."""
    found: list[Finding] = []
    for lock in locks:
        options = ["--require-hashes", "--disable-pip", "--format", "json", "--progress-spinner", "off"]
        found += pip_findings(_report([str(Path(sys.executable).parent / "pip-audit"), *options, "-r", str(lock)]))
    return sorted(set(found), key=str)


def npm_audit(folder: Path) -> list[Finding]:
    """Audit the client's lock; raises `AuditError`."""
    return npm_findings(_report(["npm", "audit", "--package-lock-only", "--json"], folder))


def today() -> date:
    """The present day, with which allowances are compared."""
    return datetime.now(UTC).date()


def _report(command: list[str], folder: Path | None = None) -> Mapping[str, Any]:
    # Both exit with a special status when they find something, so only the report counts.
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    try:
        report: Mapping[str, Any] = json.loads(done.stdout)
    except json.JSONDecodeError:
        raise AuditError(f"{command[0]}: {done.stderr.strip()[-400:]}") from None
    return report
