"""What is not made from the topology, compared with it: folders, import contracts, scripts, manifests, the client."""

import importlib
import inspect
import re
import tomllib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ticketing_common.topology import DURABLES, OWNERS, PROCESSES, SERVICES, STREAM_SUBJECTS, Service
from ticketing_local.stack import PREFERRED_PORTS

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
K8S = ROOT / "infra" / "k8s"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = {service.package for service in SERVICES.values()}


def texts(node: object) -> Iterator[list[str]]:
    """Every list of texts below a node of a document."""
    if isinstance(node, dict):
        for value in node.values():
            yield from texts(value)
    elif isinstance(node, list):
        if all(isinstance(one, str) for one in node):
            yield node
        for value in node:
            yield from texts(value)


def names(pattern: str, *path: str) -> list[str]:
    """What the pattern's group finds in a file of the repository."""
    return re.findall(pattern, ROOT.joinpath(*path).read_text(), re.MULTILINE)


def resources(folder: str) -> set[str]:
    found: list[str] = yaml.safe_load((K8S / folder / "kustomization.yaml").read_text())["resources"]
    return set(found)


def test_every_folder_with_a_python_image_is_a_service_and_the_other_way_round() -> None:
    folders = {file.parent.name for file in ROOT.glob("*/Dockerfile")} - {"client"}  # as in the Makefile
    assert folders == set(SERVICES)
    for service in SERVICES.values():
        assert (ROOT / service.name / "src" / service.package / "app.py").is_file()


def test_every_list_of_packages_in_the_import_contracts_names_every_service() -> None:
    lists = [found for found in texts(PYPROJECT["tool"]["importlinter"]) if PACKAGES & set(found)]
    assert len(lists) > 3
    assert [PACKAGES - set(found) for found in lists] == [set()] * len(lists)


def test_every_process_and_every_database_has_its_manifests() -> None:
    assert resources("services") - {"client"} == set(PROCESSES)
    assert resources("databases") == set(SERVICES)


def test_every_process_and_every_database_has_its_network_policy() -> None:
    named = {
        policy["metadata"]["name"]
        for file in ("services.yaml", "workers.yaml", "state.yaml")
        for policy in yaml.safe_load_all((K8S / "network" / file).read_text())
    }
    assert {*PROCESSES, *(f"{service}-mongodb" for service in SERVICES)} <= named


@pytest.mark.parametrize("script", ["backup.sh", "restore-drill.sh"])
def test_every_database_is_saved_and_restored(script: str) -> None:
    (row,) = names(r"^for service in (.*); do$", "infra", "k8s", "components", "operations", script)
    assert row.split() == list(SERVICES)


def test_the_audit_in_a_cluster_reads_every_database() -> None:
    found = names(r"name: ([A-Z]+)_MONGO_URL$", "infra", "k8s", "components", "operations", "audit.yaml")
    assert found == [service.upper() for service in SERVICES]


def test_every_service_that_publishes_or_consumes_has_a_user_on_nats() -> None:
    users = names(r"^ +user: ([a-z]+)$", "infra", "k8s", "nats", "users.conf")
    assert set(users) - {"operator", "route", "audit"} == set(SERVICES)


def test_every_process_has_a_port_of_its_own_on_a_developers_machine() -> None:
    assert set(PROCESSES) <= set(PREFERRED_PORTS)
    assert len(set(PREFERRED_PORTS.values())) == len(PREFERRED_PORTS)


def test_the_client_knows_the_path_of_every_public_service() -> None:
    (row,) = names(r"^const SERVICES = \{(.*)\} as const;$", "client", "lib", "server", "upstreams.ts")
    known = dict(re.findall(r'([a-z]+): "([A-Z_]+)"', row))
    assert known == {service.path: f"{service.name.upper()}_URL" for service in SERVICES.values() if service.path}


class EveryUseCase:
    """A service of which only the names of the use cases are looked at."""

    def __getattr__(self, name: str) -> Callable[..., Awaitable[None]]:
        async def use_case(*_: object) -> None:
            raise AssertionError(name)

        return use_case


@pytest.mark.parametrize("service", SERVICES.values(), ids=lambda service: service.name)
def test_a_service_consumes_what_the_topology_says(service: Service) -> None:
    subscribers: Any = importlib.import_module(f"{service.package}.subscribers")
    parameters = inspect.signature(subscribers.subscriptions).parameters
    subscriptions = subscribers.subscriptions(*(EveryUseCase() for _ in parameters))

    assert tuple(subscription.stream for subscription in subscriptions) == service.consumes
    expected = {(stream, durable) for stream, durable in DURABLES if durable.startswith(f"{service.name}-")}
    assert {(one.stream, one.durable(service.name)) for one in subscriptions} == expected


@pytest.mark.parametrize("service", SERVICES.values(), ids=lambda service: service.name)
def test_a_service_publishes_what_the_topology_says(service: Service) -> None:
    text = (ROOT / service.name / "src" / service.package / "app.py").read_text()

    assert re.findall(r'\.outbox\("(\w+)"', text) == [service.outbox]
    assert re.findall(r"\bpublishes=(\w+)", text) == [service.stream]
    assert ("LiveFeed(runtime, " in text) is service.tails


def test_no_two_services_share_a_stream_a_noun_or_a_path() -> None:
    assert len(OWNERS) == len(set(STREAM_SUBJECTS.values())) == sum(bool(one.stream) for one in SERVICES.values())
    paths = [one.path for one in SERVICES.values() if one.path]
    assert len(paths) == len(set(paths))
