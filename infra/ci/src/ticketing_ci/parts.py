"""The table of the repository's parts: the paths on which each test suite and image depends."""

from dataclasses import dataclass

from ticketing_common.topology import SERVICES

SUITES = (
    "common",
    *SERVICES,
    "infra/testkit",
    "infra/ops",
    "infra/local",
    "infra/bench",
    "infra/ci",
    "nats-tests",
    "infra/system-tests",
)
"""Folders with tests that start processes; each is one cell of the matrix."""


@dataclass(frozen=True)
class Effect:
    """The jobs that a change needs."""

    suites: frozenset[str] = frozenset()
    client: bool = False
    product: bool = False
    """The flow tests with all processes, and the browser tests."""
    manifests: bool = False

    def __or__(self, other: "Effect") -> "Effect":
        return Effect(
            self.suites | other.suites,
            self.client or other.client,
            self.product or other.product,
            self.manifests or other.manifests,
        )


EVERYTHING = Effect(frozenset(SUITES), client=True, product=True, manifests=True)


@dataclass(frozen=True)
class Rule:
    """Paths that begin with one of `prefixes` (a folder ends in a slash) have this effect."""

    prefixes: tuple[str, ...]
    effect: Effect

    def matches(self, path: str) -> bool:
        """A file's whole name, or anything below a folder."""
        return any(path == prefix or (prefix.endswith("/") and path.startswith(prefix)) for prefix in self.prefixes)


def _service(name: str) -> Rule:
    # The contracts as well: a service's publishers and readers are what the golden bodies are compared with. The
    # manifests' tests read its Dockerfile and its lock.
    return Rule((f"{name}/",), Effect(frozenset({name, "nats-tests"}), product=True, manifests=True))


RULES = (
    # What a list finds is one table for the service's tests and the client's.
    Rule(
        ("tickets/tests/list_cases.json",),
        Effect(frozenset({"tickets", "nats-tests"}), client=True, product=True, manifests=True),
    ),
    *(_service(name) for name in SERVICES),
    # Every service is built on common, and every suite on the test kit.
    Rule(("common/", "infra/testkit/"), Effect(frozenset(SUITES), product=True, manifests=True)),
    Rule(("client/",), Effect(client=True, product=True)),
    Rule(("infra/local/",), Effect(frozenset({"infra/local", "infra/system-tests"}), product=True)),
    # Its commands are tried on the bus by the delivery tests, and its audit ends every system test.
    Rule(
        ("infra/ops/",),
        Effect(
            frozenset({"infra/ops", "infra/local", "nats-tests", "infra/system-tests"}), product=True, manifests=True
        ),
    ),
    Rule(("nats-tests/", "docs/events/"), Effect(frozenset({"common", "nats-tests"}))),
    # Whether they match the services is a unit test, which always runs.
    Rule(("docs/openapi/",), Effect(client=True, product=True)),
    Rule(
        ("infra/k8s/", "infra/k8s-dev/", "infra/k8s-logs/", "infra/k8s-prod/", "skaffold.yaml", ".dockerignore"),
        Effect(manifests=True),
    ),
    # One lock, one command list and one pipeline for all: nothing that they touch can be left out.
    Rule(("requirements.lock", "pyproject.toml", "Makefile", ".github/workflows/", ".github/actions/"), EVERYTHING),
    Rule(("infra/ci/", "conftest.py"), EVERYTHING),
    # Load runs are for a quiet machine and run by hand. The benchmarks use the market of the system tests, the delivery
    # tests their crash points.
    Rule(("infra/bench/",), Effect(frozenset({"infra/bench"}), product=True)),
    Rule(
        ("infra/system-tests/",), Effect(frozenset({"infra/bench", "nats-tests", "infra/system-tests"}), product=True)
    ),
    # Read by people only; lint, types, unit tests and hooks run for them all the same.
    Rule(("docs/", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "README.md", "LICENSE"), Effect()),
    Rule((".ci/", ".github/", ".gitignore", ".pre-commit-config.yaml", ".secrets.baseline"), Effect()),
)
"""A path without a rule needs everything: a missing row costs minutes, but skips no test."""


@dataclass(frozen=True)
class Image:
    """How one image is built, and all inputs that can change its content."""

    context: str
    dockerfile: str
    inputs: tuple[str, ...]


def _service_image(name: str) -> Image:
    inputs = ("common/src/", f"{name}/src/", f"{name}/requirements.lock", f"{name}/Dockerfile", ".dockerignore")
    return Image(".", f"{name}/Dockerfile", inputs)


IMAGES = {
    **{name: _service_image(name) for name in SERVICES},
    "client": Image("client", "client/Dockerfile", ("client/",)),
    "tools": Image(
        ".",
        "infra/k8s/tools/Dockerfile",
        (
            *("common/src/", "infra/testkit/src/", "infra/ops/src/", ".dockerignore"),
            *("infra/k8s/tools/requirements.lock", "infra/k8s/tools/Dockerfile"),
        ),
    ),
}
