"""The table against the tree: every row finds something, and every file has a row."""

import tomllib
from pathlib import Path

import pytest
import yaml

from ticketing_ci.git import tracked
from ticketing_ci.parts import IMAGES, RULES, SUITES

ROOT = Path(__file__).resolve().parents[3]
LATER = {"LICENSE"}


@pytest.mark.unit
@pytest.mark.parametrize("prefix", sorted({prefix for rule in RULES for prefix in rule.prefixes} - LATER))
def test_every_prefix_of_a_rule_is_there(prefix: str) -> None:
    assert (ROOT / prefix).is_dir() if prefix.endswith("/") else (ROOT / prefix).is_file()


@pytest.mark.unit
def test_every_input_of_an_image_is_there() -> None:
    for name, image in IMAGES.items():
        for path in (*image.inputs, image.dockerfile):
            assert (ROOT / path).exists(), f"{name}: {path}"


@pytest.mark.unit
def test_every_folder_with_tests_is_a_suite_or_has_a_job() -> None:
    testpaths = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["testpaths"]

    assert set(testpaths) == {*SUITES, "infra/k8s"}  # that one is the job `manifests`


@pytest.mark.unit
def test_the_images_are_those_that_skaffold_builds() -> None:
    artifacts = yaml.safe_load((ROOT / "skaffold.yaml").read_text())["build"]["artifacts"]
    built = {a["image"].removeprefix("ticketing/"): (a["context"], a["docker"]["dockerfile"]) for a in artifacts}

    for name, image in IMAGES.items():
        context, dockerfile = built[name]
        assert (image.context, image.dockerfile) == (context, str(Path(context) / dockerfile))
    assert built.keys() == IMAGES.keys()


@pytest.mark.unit
@pytest.mark.parametrize("name", [name for name, image in IMAGES.items() if image.context == "."])
def test_an_image_copies_only_what_is_among_its_inputs(name: str) -> None:
    image = IMAGES[name]
    text = (ROOT / image.dockerfile).read_text().replace("${SERVICE}", name)
    copied = [row.split()[1] for row in text.splitlines() if row.startswith("COPY ") and "--from=" not in row]

    assert copied
    for path in copied:
        assert path.startswith(image.inputs), f"{path} would change the image and not its name"


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="an exported tree has no list of tracked files")
def test_every_tracked_file_is_known_by_a_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    unknown = {
        path
        for path in tracked()
        if not any(rule.matches(path) for rule in RULES)
        and not path.startswith(".ci/")  # how this place runs `make test`
    }

    assert not unknown, "Not wrong, but each of these tests and builds everything: give it a row"
