"""Checks that the declared licences of all Python packages and all npm packages of the lock allow redistribution."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, distribution, distributions
from pathlib import Path
from typing import Any

PERMITTED = re.compile(
    r"\b(MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla|0BSD|Unlicense|BlueOak|CC0|CC-BY|LGPL)",
    re.IGNORECASE,
)
# LGPL is not refused: linking satisfies it (sharp's libvips is a separate, replaceable library).
FORBIDDEN = re.compile(
    r"(?<!L)(A?GPL|\bSSPL|\bBUSL|Affero|Server Side Public|Business Source|Proprietary|Commons Clause)"
)
OUR_OWN = "ticketing-"


def acceptable(licence: str) -> bool:
    """Whether at least one alternative of the licence expression is permitted completely."""
    alternatives = re.split(r"\bOR\b", licence)
    return any(PERMITTED.search(text) and not FORBIDDEN.search(text) for text in alternatives)


def python_packages() -> Iterator[tuple[str, str]]:
    """Name and licence of each package of this environment; "" if a package declares none."""
    for found in distributions():
        about = found.metadata
        classifiers = [
            text.split(" :: ")[-1] for text in about.get_all("Classifier") or [] if text.startswith("License")
        ]
        names = [
            *(about.get_all("License-Expression") or []),
            "; ".join(classifiers),
            *(about.get_all("License") or []),
        ]
        yield str(about["Name"]), next((text for text in names if text), "").split("\n")[0]


def npm_packages(lock: Path) -> Iterator[tuple[str, str]]:
    """The same from package-lock.json, without binaries for other platforms, for which the lock has no licence."""
    packages: Mapping[str, Mapping[str, Any]] = json.loads(lock.read_text())["packages"]
    for path, about in packages.items():
        if not path or (about.get("optional") and "license" not in about):
            continue
        yield path.rsplit("node_modules/", 1)[-1], str(about.get("license", ""))


def allowed_licences(allowances: Path) -> dict[str, str]:
    """The one accepted licence for each package."""
    rows = tomllib.loads(allowances.read_text()).get("licence", [])
    return {row["package"]: row["licence"] for row in rows if row["reason"]}


def refused(packages: Iterator[tuple[str, str]], allowed: Mapping[str, str]) -> list[str]:
    """One line for each package that is not permitted."""
    return sorted(
        f"{name}: {licence or 'says nothing'}"
        for name, licence in packages
        if not name.startswith(OUR_OWN) and not acceptable(licence) and allowed.get(name) != licence
    )


def installed(name: str) -> bool:
    """Whether the package is installed; an allowance for a removed package must be removed."""
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
