"""Vulnerabilities, licences and versions: what counts, what is allowed, and that silence is not taken for a yes."""

import json
from datetime import date
from pathlib import Path

import pytest

from ticketing_ci.deployed import last_success
from ticketing_ci.images import build_command
from ticketing_ci.licences import acceptable, allowed_licences, npm_packages, refused
from ticketing_ci.osv import Finding, allowed_findings, remaining
from ticketing_ci.versions import notes, problems, versions

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
ALLOWANCES = ROOT / "infra/ci/allowances.toml"
FOUND = Finding("left", frozenset({"GHSA-1", "CVE-1"}))


@pytest.mark.parametrize(("day", "left"), [(date(2026, 1, 30), []), (date(2026, 1, 31), [FOUND])])
def test_an_allowance_ends_on_its_day(tmp_path: Path, day: date, left: list[Finding]) -> None:
    file = tmp_path / "allowances.toml"
    file.write_text('[[vulnerability]]\nid = "CVE-1"\npackage = "left"\nreason = "not reachable"\nuntil = 2026-01-31\n')

    assert remaining([FOUND], allowed_findings(file, day)) == left


@pytest.mark.parametrize(
    "licence",
    ["MIT", "BSD License", "Apache-2.0 OR GPL-3.0-only", "Apache-2.0 AND LGPL-3.0-or-later", "ISC License (ISCL)"],
)
def test_permitted_licences(licence: str) -> None:
    assert acceptable(licence)


@pytest.mark.parametrize(
    "licence", ["", "GPL-3.0-or-later", "MIT AND AGPL-3.0", "SSPL-1.0", "Proprietary", "SomethingNew"]
)
def test_refused_licences(licence: str) -> None:
    assert not acceptable(licence)


def test_an_exception_holds_for_one_package_and_one_licence() -> None:
    allowed = allowed_licences(ALLOWANCES)

    assert refused(iter([("localstripe", "GPL-3.0-or-later"), ("ticketing-auth", "")]), allowed) == []
    assert refused(iter([("localstripe", "AGPL-3.0")]), allowed) == ["localstripe: AGPL-3.0"]
    assert refused(iter([("left", "")]), allowed) == ["left: says nothing"]


def test_the_clients_packages_may_be_handed_on() -> None:
    packages = list(npm_packages(ROOT / "client/package-lock.json"))

    assert len(packages) > 100
    assert refused(iter(packages), {}) == []


def test_every_package_of_the_client_is_locked_to_its_contents_and_to_no_host() -> None:
    packages = json.loads((ROOT / "client/package-lock.json").read_text())["packages"]
    others = {name: package for name, package in packages.items() if name}

    assert [name for name, package in others.items() if not package.get("integrity", "").startswith("sha512-")] == []
    assert [name for name, package in others.items() if "resolved" in package] == []


CHANGELOG = """# Changelog

## [Unreleased]

- later

## [1.2.0] - 2026-11-01

### Added

- b

## [1.1.0] - 2026-10-01

- a
"""


def test_the_notes_of_a_version_are_its_part_of_the_changelog() -> None:
    assert notes(CHANGELOG, "1.2.0") == "### Added\n\n- b"
    assert notes(CHANGELOG, "1.1.0") == "- a"
    assert notes(CHANGELOG, "1.1") == ""
    assert notes(CHANGELOG, "Unreleased") == ""


def test_a_version_is_released_only_when_packages_and_changelog_have_it() -> None:
    assert problems("1.2.0", {"common": "1.2.0"}, CHANGELOG) == []
    assert len(problems("1.3.0", {"common": "1.2.0"}, CHANGELOG)) == 2


def test_all_packages_have_one_version() -> None:
    assert len(set(versions(ROOT, ("common", "auth", "infra/local")).values())) == 1


def test_the_last_deployment_that_succeeded_is_the_base() -> None:
    def node(commit: str, state: str | None) -> dict[str, object]:
        return {"commitOid": commit, "latestStatus": {"state": state} if state else None}

    def answer(*nodes: dict[str, object]) -> dict[str, object]:
        return {"data": {"repository": {"deployments": {"nodes": list(nodes)}}}}

    assert (
        last_success(answer(node("c", None), node("b", "FAILURE"), node("a", "SUCCESS"), node("0", "INACTIVE"))) == "a"
    )
    assert last_success(answer(node("c", "IN_PROGRESS"), node("b", "INACTIVE"))) == "b"
    assert last_success(answer(node("b", "FAILURE"))) == ""


def test_an_image_is_pushed_without_a_tag_and_built_here_with_one() -> None:
    pushed = build_command("orders", revision="r", target="x.example/orders", metadata=Path("m.json"))
    kept = build_command("orders", revision="r", target="ticketing/orders:r")

    assert "--tag" not in pushed
    assert "push-by-digest=true" in pushed[pushed.index("--output") + 1]
    assert kept[-3:] == ["--tag", "ticketing/orders:r", "."]
