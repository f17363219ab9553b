"""Dockerfiles are alike, build contexts contain only the listed files, and the Skaffold file fits both."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ticketing_common.topology import SERVICES
from ticketing_local.services import ServiceProcess

ROOT = Path(__file__).resolve().parents[3]


def _skaffold() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "skaffold.yaml").read_text())
    return document


@pytest.mark.parametrize("file", ["Dockerfile", "Dockerfile.dev"])
def test_the_dockerfiles_differ_in_the_name_of_the_service_only(file: str) -> None:
    texts = [(ROOT / service / file).read_text().splitlines() for service in SERVICES]
    differing = [lines for lines in zip(*texts, strict=True) if len(set(lines)) > 1]

    assert set(differing) == {tuple(f"ARG SERVICE={service}" for service in SERVICES)}


@pytest.mark.parametrize(
    "file", [f"{service}/{kind}" for service in SERVICES for kind in ("Dockerfile", "Dockerfile.dev")]
)
def test_no_stage_takes_an_argument_from_outside_for_what_it_copies(file: str) -> None:
    """Skaffold 2.24 does not pass a global ARG into a stage when it resolves the files of a COPY."""
    stages = re.split(r"^FROM .*$", (ROOT / file).read_text(), flags=re.MULTILINE)[1:]

    for stage in stages:
        defaults = set(re.findall(r"^ARG (\w+)=\S+$", stage, re.MULTILINE))
        copied = " ".join(re.findall(r"^COPY (.*)$", stage, re.MULTILINE))
        assert set(re.findall(r"\$\{(\w+)\}", copied)) <= defaults


@pytest.mark.parametrize(
    "file", [f"{service}/{kind}" for service in SERVICES for kind in ("Dockerfile", "Dockerfile.dev")]
)
def test_every_image_takes_its_base_as_an_argument_and_runs_without_privileges(file: str) -> None:
    text = (ROOT / file).read_text()

    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"${PYTHON_IMAGE}"}
    assert "USER 10001:10001" in text
    assert "--require-hashes" in text
    assert re.search(r"^CMD \[", text, re.MULTILINE), "a shell would be process 1 and not forward SIGTERM"


def test_images_and_the_local_stack_start_the_server_alike(tmp_path: Path) -> None:
    """The limits for slow and many callers are on the command line, so every command must have them."""
    process = ServiceProcess("tickets", tmp_path, tmp_path / "log", port=1, environment={})
    options = ("--http", "ticketing_common.web.http_protocol:HttpProtocol", "--no-server-header", "--limit-concurrency")

    for command in (_command("tickets/Dockerfile"), _command("tickets/Dockerfile.dev"), list(process.command())):
        assert [option for option in options if option not in command] == []


def _command(file: str) -> list[str]:
    text = (ROOT / file).read_text().replace("\\\n", "")
    command: list[str] = json.loads(re.findall(r"^CMD (\[.*\])$", text, re.MULTILINE)[-1])
    return command


@pytest.mark.parametrize("service", SERVICES)
def test_every_pin_of_a_service_equals_the_main_lock_and_has_hashes(service: str) -> None:
    def pins(file: Path) -> dict[str, str]:
        return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", file.read_text(), re.MULTILINE))

    own, main = pins(ROOT / service / "requirements.lock"), pins(ROOT / "requirements.lock")

    assert own.items() <= main.items()
    assert "pytest" not in own
    assert (ROOT / service / "requirements.lock").read_text().count("--hash=sha256:") >= len(own)


def test_the_build_context_contains_only_listed_files() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]

    assert lines[0] == "*"
    for line in lines[1:]:
        assert line.startswith(("!", "**/")), line
        if line.startswith("!"):
            assert (ROOT / line[1:]).exists(), f"{line} includes a path that does not exist"


def test_skaffold_builds_what_the_overlays_run() -> None:
    built = {artifact["image"] for artifact in _skaffold()["build"]["artifacts"]}
    run = set(
        re.findall(r"image: (ticketing/[a-z]+):", "".join(p.read_text() for p in ROOT.glob("infra/k8s*/**/*.yaml")))
    )

    assert built == run


def test_skaffold_copies_changed_files_to_where_they_run() -> None:
    profile = next(profile for profile in _skaffold()["profiles"] if profile["name"] == "dev")
    for artifact in profile["build"]["artifacts"]:
        context = ROOT / artifact["context"]
        dockerfile = (context / artifact["docker"]["dockerfile"]).read_text()
        rules = artifact.get("sync", {}).get("manual", [])
        assert rules or artifact["image"] == "ticketing/tools"
        for rule in rules:
            found = [path for path in context.glob(rule["src"]) if path.is_file()]
            assert found, f"{artifact['image']}: {rule['src']} finds nothing"
            assert rule["dest"] in re.findall(r"^WORKDIR (\S+)", dockerfile, re.MULTILINE)
            package = found[0].relative_to(context).as_posix().removeprefix(rule.get("strip", "")).split("/")[0]
            assert "COPY --chown=node:node . ." in dockerfile or f"/app/{package.split('_')[0]}_" in dockerfile
