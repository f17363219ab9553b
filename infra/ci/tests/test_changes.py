"""Changed paths in, jobs out."""

import pytest

from ticketing_ci.changes import lines, plan
from ticketing_ci.parts import EVERYTHING, IMAGES, SUITES
from ticketing_common.topology import SERVICES

pytestmark = pytest.mark.unit

ALL = frozenset(SUITES)
EVERY_IMAGE = tuple(IMAGES)
PYTHON_IMAGES = (*SERVICES, "tools")
NOTHING: tuple[frozenset[str], str, tuple[str, ...], tuple[str, ...]] = (frozenset(), "", (), ())

# Changed paths → suites, other jobs (c: client, p: flow and browser, m: manifests), images, environments.
TABLE: dict[str, tuple[list[str], tuple[frozenset[str], str, tuple[str, ...], tuple[str, ...]]]] = {
    "nothing": ([], NOTHING),
    "one service": (
        ["orders/src/ticketing_orders/service.py"],
        (frozenset({"orders", "nats-tests"}), "pm", ("orders",), ("dev",)),
    ),
    "the table that the client reads too": (
        ["tickets/tests/list_cases.json"],
        (frozenset({"tickets", "nats-tests"}), "cpm", (), ()),
    ),
    "only its tests": (["orders/tests/test_service.py"], (frozenset({"orders", "nats-tests"}), "pm", (), ())),
    "two services": (
        ["auth/src/ticketing_auth/routes.py", "payments/requirements.lock"],
        (frozenset({"auth", "payments", "nats-tests"}), "pm", ("auth", "payments"), ("dev",)),
    ),
    "common touches all five": (
        ["common/src/ticketing_common/entity.py"],
        (ALL, "pm", PYTHON_IMAGES, ("dev",)),
    ),
    "tests of common": (["common/tests/events/test_envelope.py"], (ALL, "pm", (), ())),
    "the lock touches everything": (["requirements.lock"], (ALL, "cpm", (), ())),
    "the client": (["client/pages/index.tsx"], (frozenset(), "cp", ("client",), ("dev",))),
    "the local stack": (
        ["infra/local/src/ticketing_local/stack.py"],
        (frozenset({"infra/local", "infra/system-tests"}), "p", (), ()),
    ),
    "the operator's commands": (
        ["infra/ops/src/ticketing_ops/demo/__init__.py"],
        (frozenset({"infra/ops", "infra/local", "nats-tests", "infra/system-tests"}), "pm", ("tools",), ("dev",)),
    ),
    "golden events": (["nats-tests/contracts/order.created.json"], (frozenset({"common", "nats-tests"}), "", (), ())),
    "event documents": (["docs/events/asyncapi.json"], (frozenset({"common", "nats-tests"}), "", (), ())),
    "base manifests": (["infra/k8s/gateway.yaml"], (frozenset(), "m", (), ("dev", "prod"))),
    "dev manifests": (["infra/k8s-dev/network.yaml"], (frozenset(), "m", (), ("dev",))),
    "prod manifests": (["infra/k8s-prod/nats.yaml"], (frozenset(), "m", (), ("prod",))),
    "a Dockerfile": (["tickets/Dockerfile"], (frozenset({"tickets", "nats-tests"}), "pm", ("tickets",), ("dev",))),
    "what goes into images": ([".dockerignore"], (frozenset(), "m", PYTHON_IMAGES, ("dev",))),
    "a workflow": ([".github/workflows/tests.yml"], (ALL, "cpm", (), ())),
    "an issue form": ([".github/ISSUE_TEMPLATE/bug.yml"], NOTHING),
    "this very table": (["infra/ci/src/ticketing_ci/parts.py"], (ALL, "cpm", (), ())),
    "prose": (["docs/ci.md", "SECURITY.md"], NOTHING),
    "prose beside code": (
        ["docs/ci.md", "expiration/src/ticketing_expiration/service.py"],
        (frozenset({"expiration", "nats-tests"}), "pm", ("expiration",), ("dev",)),
    ),
    "a path that no rule knows": (["infra/new/part.py"], (ALL, "cpm", (), ())),
    "a name that only begins like a service": (["orders-old/x.py"], (ALL, "cpm", (), ())),
}


@pytest.mark.parametrize("name", TABLE)
def test_the_table_of_changes(name: str) -> None:
    paths, (suites, letters, images, deploy) = TABLE[name]

    found = plan(paths)

    jobs = {"c": found.effect.client, "p": found.effect.product, "m": found.effect.manifests}
    assert found.effect.suites == suites
    assert "".join(letter for letter, wanted in jobs.items() if wanted) == letters
    assert found.images == images
    assert found.deploy == deploy


def test_an_unknown_base_asks_for_everything() -> None:
    found = plan(None)

    assert (found.effect, found.images, found.deploy) == (EVERYTHING, EVERY_IMAGE, ("dev", "prod"))


def test_the_answer_is_what_a_job_reads_with_fromjson() -> None:
    assert lines(plan(["orders/src/ticketing_orders/app.py"])) == [
        'suites=["nats-tests", "orders"]',
        "client=false",
        "product=true",
        "manifests=true",
        'images=["orders"]',
        'deploy=["dev"]',
    ]


def test_every_new_path_widens_the_answer_and_none_narrows_it() -> None:
    every = [path for paths, _ in TABLE.values() for path in paths]

    assert plan(every).effect == EVERYTHING
    assert set(plan(every).images) == set(IMAGES)
