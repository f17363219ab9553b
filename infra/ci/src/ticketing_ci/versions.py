"""Checks that all packages have one version, and extracts its part of the changelog."""

import re
import tomllib
from pathlib import Path


def versions(root: Path, packages: tuple[str, ...]) -> dict[str, str]:
    """Each package's version by its folder."""
    files = {package: root / package / "pyproject.toml" for package in packages}
    return {package: str(tomllib.loads(file.read_text())["project"]["version"]) for package, file in files.items()}


def notes(changelog: str, version: str) -> str:
    """The text below `## [version] - day`, or "" if there is no such part."""
    found = re.search(
        rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d\n(.*?)(?=^## \[|^\[|\Z)", changelog, re.M | re.S
    )
    return found.group(1).strip() if found else ""


def problems(version: str, found: dict[str, str], changelog: str) -> list[str]:
    """The reasons against the release of this version."""
    wrong = [f"{package} has {other}, not {version}" for package, other in found.items() if other != version]
    return wrong if notes(changelog, version) else [*wrong, f"CHANGELOG.md has no dated part for {version}"]
