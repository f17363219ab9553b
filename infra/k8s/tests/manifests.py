"""What the tests look up in rendered manifests."""

from collections.abc import Iterator
from typing import Any

Manifest = dict[str, Any]


WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")


def pod_of(manifest: Manifest) -> Manifest:
    """The pod template of a workload."""
    spec: Manifest = manifest["spec"]
    template: Manifest = (spec["jobTemplate"]["spec"] if manifest["kind"] == "CronJob" else spec)["template"]
    return template


def workloads(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest, Manifest]]:
    """Name, workload and pod template of every workload."""
    for manifest in manifests:
        if manifest["kind"] in WORKLOADS:
            yield f"{manifest['kind']} {manifest['metadata']['name']}", manifest, pod_of(manifest)


def containers(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest, Manifest]]:
    """Name, container and pod spec of every container, including init containers."""
    for name, _, pod in workloads(manifests):
        for container in [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]:
            yield f"{name}, container {container['name']}", container, pod["spec"]


def named(manifests: list[Manifest], kind: str) -> dict[str, Manifest]:
    """The objects of a kind by name."""
    return {manifest["metadata"]["name"]: manifest for manifest in manifests if manifest["kind"] == kind}


def selects(selector: Manifest, labels: Manifest) -> bool:
    """A Kubernetes label selector; the empty one selects everything."""
    for expression in selector.get("matchExpressions", []):
        value, values = labels.get(expression["key"]), expression.get("values", [])
        if {"In": value in values, "NotIn": value not in values}[expression["operator"]] is False:
            return False
    return bool(selector.get("matchLabels", {}).items() <= labels.items())


def pods_with(manifests: list[Manifest], selector: Manifest) -> list[Manifest]:
    """The pod templates that a selector matches."""
    return [pod for _, _, pod in workloads(manifests) if selects(selector, pod["metadata"].get("labels", {}))]
