"""Applies an overlay with images by digest, tests it, removes former objects, and rolls back on failure."""

import base64
import gzip
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ticketing_ci.cluster import NAMESPACE, Cluster, ClusterError, Manifest

RECORD = "ticketing-release"
"""The ConfigMap with the manifests of the last successful release: a rollback includes settings and routes."""

ROLLED_OUT = ("Deployment", "StatefulSet")
KEPT = ("Namespace", "PersistentVolumeClaim", "CustomResourceDefinition")
"""Never removed by a release, because their data would be lost."""
MINUTES_10 = 600


class ReleaseError(RuntimeError):
    """The release failed; the message gives the reason and the present state."""


def overlay(base: str, images: Mapping[str, str]) -> str:
    """A kustomization on top of `base` in which every image has a digest of the registry."""
    pinned = []
    for name, target in images.items():
        repository, digest = target.split("@")
        pinned.append({"name": f"ticketing/{name}", "newName": repository, "digest": digest})
    kinds = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    return str(yaml.safe_dump({**kinds, "resources": [base], "images": pinned}, sort_keys=False))


def render(root: Path, environment: str, images: Mapping[str, str]) -> str:
    """The manifests; raises `subprocess.CalledProcessError`, and `ReleaseError` for an image without digest."""
    folder = root / ".local" / "release" / environment
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kustomization.yaml").write_text(overlay(f"../../../infra/k8s-{environment}", images))
    text = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=True).stdout
    loose = sorted({image for image in _images(yaml.safe_load_all(text)) if image.startswith("ticketing/")})
    if loose:
        raise ReleaseError(f"without a digest: {', '.join(loose)}")
    return text


def running_images(cluster: Cluster, names: tuple[str, ...]) -> dict[str, str]:
    """The running images by digest; raises `ReleaseError` when a part has never been released."""
    found: dict[str, str] = {}
    for kind in ("deployments", "cronjobs"):
        for image in _images(cluster.list(kind)):
            name = image.split("@")[0].rsplit("/", 1)[-1]
            if name in names and "@sha256:" in image:
                found[name] = image
    if absent := sorted(set(names) - found.keys()):
        raise ReleaseError(f"nothing of {', '.join(absent)} was ever released here; release a version first")
    return found


def release(
    cluster: Cluster, text: str, revision: str, smoke: Callable[[], None], say: Callable[[str], None] = print
) -> None:
    """Apply, wait, test, remove objects of the previous release only, and record this release.

    Raises `ReleaseError` after a rollback to the previous release. The record is written last, so an interrupted run
    can be repeated with the same command.
    """
    record = cluster.get("configmap", RECORD)
    try:
        say(f"Applying {revision}")
        _bring_up(cluster, text)
        say("Rolled out; testing it")
        smoke()
    except Exception as failure:  # any failure means that the release is not known to work
        say(f"Failed: {failure}")
        if record is None:
            raise ReleaseError("failed, and there is no earlier release to go back to") from failure
        before = str(record["data"]["revision"])
        say(f"Going back to {before}")
        try:
            _bring_up(cluster, _unpacked(record))
            _prune(cluster, text, _unpacked(record), say)
        except ClusterError as second:
            raise ReleaseError(f"failed, and so did going back to {before}: {second}") from failure
        raise ReleaseError(f"failed; {before} is back") from failure
    if record is not None:
        try:
            _prune(cluster, _unpacked(record), text, say)
        except ClusterError as failure:
            raise ReleaseError(
                f"{revision} runs, but what left it is still there; release it again: {failure}"
            ) from failure
    cluster.store(_record(text, revision))
    say(f"{revision} stands")


def _bring_up(cluster: Cluster, text: str) -> None:
    cluster.apply(text)
    for manifest in _manifests(text):
        if manifest["kind"] in ROLLED_OUT:
            cluster.wait(f"{manifest['kind'].lower()}/{manifest['metadata']['name']}", MINUTES_10)


def _prune(cluster: Cluster, before: str, now: str, say: Callable[[str], None]) -> None:
    """Remove the objects of `before` that are not in `now`."""
    wanted = {_identity(manifest) for manifest in _manifests(now)}
    gone = [manifest for manifest in _manifests(before) if _identity(manifest) not in wanted]
    gone = [manifest for manifest in gone if manifest["kind"] not in KEPT]
    if gone:
        say("Removing " + ", ".join(f"{manifest['kind']} {manifest['metadata']['name']}" for manifest in gone))
        cluster.remove(gone)


def _manifests(text: str) -> list[Manifest]:
    return [manifest for manifest in yaml.safe_load_all(text) if manifest]


def _identity(manifest: Manifest) -> tuple[str, str, str, str]:
    """The identity of an object, which includes its API group but not the API version."""
    group = manifest["apiVersion"].rpartition("/")[0]
    metadata = manifest["metadata"]
    return group, manifest["kind"], metadata.get("namespace", NAMESPACE), metadata["name"]


def _record(text: str, revision: str) -> dict[str, Any]:
    packed = base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": RECORD, "namespace": NAMESPACE},
        "data": {"revision": revision},
        "binaryData": {"manifests.yaml.gz": packed},
    }


def _unpacked(record: Mapping[str, Any]) -> str:
    return gzip.decompress(base64.b64decode(record["binaryData"]["manifests.yaml.gz"])).decode()


def _images(found: Any) -> list[str]:
    """Every `image` of a container, at any depth."""
    if isinstance(found, dict):
        here = [found["image"]] if isinstance(found.get("image"), str) else []
        return here + [image for value in found.values() for image in _images(value)]
    if isinstance(found, str) or not hasattr(found, "__iter__"):
        return []
    return [image for item in found for image in _images(item)]
