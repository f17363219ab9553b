"""Renders an overlay with Kustomize if it is installed, otherwise with a small renderer of the features used here."""

import copy
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

__all__ = ["external_renderer", "render", "render_in_python", "render_outside"]

Manifest = dict[str, Any]

SUPPORTED = {
    *("apiVersion", "kind", "namespace", "resources", "components", "configMapGenerator", "labels", "patches"),
}
MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
}
"""The lists of the Kubernetes API that a strategic merge patch merges by a key; it replaces all other lists."""

CLUSTER_SCOPED = {"Namespace", "GatewayClass"}


def external_renderer() -> list[str] | None:
    """The command of an installed Kustomize, or None."""
    for program, command in (("kustomize", ["kustomize", "build"]), ("kubectl", ["kubectl", "kustomize"])):
        if shutil.which(program):
            return command
    return None


def render(folder: Path) -> list[Manifest]:
    """Every object of an overlay; raises `subprocess.CalledProcessError` or `ValueError`."""
    return render_outside(folder) if external_renderer() else render_in_python(folder)


def render_outside(folder: Path) -> list[Manifest]:
    """Render with Kustomize itself."""
    command = external_renderer()
    assert command is not None
    output = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=True).stdout
    return [manifest for manifest in yaml.safe_load_all(output) if manifest]


def render_in_python(folder: Path) -> list[Manifest]:
    """Render the features in use: resources, components, labels, both kinds of patches, ConfigMaps, namespace.

    Raises ValueError for any other field of a kustomization.yaml, so that nothing is silently omitted.
    """
    manifests = _accumulate(folder)
    _add_hashes(manifests)
    return manifests


def _accumulate(folder: Path, inherited: list[Manifest] | None = None) -> list[Manifest]:
    spec = yaml.safe_load((folder / "kustomization.yaml").read_text())
    unknown = spec.keys() - SUPPORTED
    if unknown:
        raise ValueError(f"{folder}/kustomization.yaml uses {sorted(unknown)}, which the tests' renderer does not know")
    manifests = inherited if inherited is not None else []
    for entry in spec.get("resources", []):
        path = folder / entry
        manifests += _accumulate(path) if path.is_dir() else _documents(path)
    for generated in spec.get("configMapGenerator", []):
        _generate(manifests, folder, generated)
    for entry in spec.get("components", []):
        _accumulate(folder / entry, manifests)
    for patch in spec.get("patches", []):
        _patch(manifests, folder, patch)
    for labels in spec.get("labels", []):
        for manifest in manifests:
            _label(manifest, labels)
    if "namespace" in spec:
        for manifest in manifests:
            if manifest["kind"] not in CLUSTER_SCOPED:
                manifest["metadata"]["namespace"] = spec["namespace"]
    return manifests


def _documents(path: Path) -> list[Manifest]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def _generate(manifests: list[Manifest], folder: Path, generated: Manifest) -> None:
    data = dict(literal.split("=", 1) for literal in generated.get("literals", []))
    data |= {Path(file).name: (folder / file).read_text() for file in generated.get("files", [])}
    if generated.get("behavior") == "merge":
        (existing,) = (m for m in manifests if m["kind"] == "ConfigMap" and m["metadata"]["name"] == generated["name"])
        existing["data"] |= data
        return
    options = generated.get("options", {})
    metadata: Manifest = {"name": generated["name"]}
    if "labels" in options:
        metadata["labels"] = dict(options["labels"])
    manifest: Manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    if not options.get("disableNameSuffixHash"):
        manifest["_hashed"] = True
    manifests.append(manifest)


def _patch(manifests: list[Manifest], folder: Path, patch: Manifest) -> None:
    body = yaml.safe_load((folder / patch["path"]).read_text() if "path" in patch else patch["patch"])
    target = patch.get("target") or {"kind": body["kind"], "name": body["metadata"]["name"]}
    matching = [manifest for manifest in manifests if _matches(manifest, target)]
    if not matching:
        raise ValueError(f"{folder}: a patch for {target} finds nothing")
    for manifest in matching:
        if isinstance(body, list):
            for operation in body:
                _json_patch(manifest, operation)
        else:
            name = manifest["metadata"]["name"]
            _merge(manifest, copy.deepcopy(body))
            manifest["metadata"]["name"] = name


def _matches(manifest: Manifest, target: Manifest) -> bool:
    labels = manifest["metadata"].get("labels", {})
    wanted = dict(pair.split("=") for pair in target.get("labelSelector", "").split(",") if pair)
    return (
        target.get("kind", manifest["kind"]) == manifest["kind"]
        and re.fullmatch(target.get("name", ".*"), manifest["metadata"]["name"]) is not None
        and wanted.items() <= labels.items()
    )


def _json_patch(manifest: Manifest, operation: Manifest) -> None:
    # RFC 6901: `~1` is a slash inside a name.
    *parents, last = (step.replace("~1", "/") for step in operation["path"].strip("/").split("/"))
    place: Any = manifest
    for step in parents:
        place = place[int(step)] if isinstance(place, list) else place[step]
    match operation["op"], place:
        case "add", list():
            place.insert(int(last), copy.deepcopy(operation["value"]))
        case "add" | "replace", _:
            place[last] = copy.deepcopy(operation["value"])
        case "remove", _:
            del place[last]


def _merge(into: Manifest, patch: Manifest) -> None:
    for key, value in patch.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        elif isinstance(value, list) and isinstance(into.get(key), list) and key in MERGE_KEYS:
            into[key] = _merged_list(into[key], value, MERGE_KEYS[key])
        else:
            into[key] = value


def _merged_list(present: list[Manifest], patch: list[Manifest], by: str) -> list[Manifest]:
    """Merge with the patch's items first, as Kustomize does; the order of `env` matters to Kubernetes."""
    found = {item[by]: item for item in present}
    merged = []
    for item in patch:
        if item[by] in found:
            _merge(found[item[by]], item)
        merged.append(found.pop(item[by], item))
    return merged + list(found.values())


def _label(manifest: Manifest, labels: Manifest) -> None:
    spec = manifest.get("spec", {})
    labelled = [manifest]
    if labels.get("includeTemplates"):
        job = spec.get("jobTemplate")
        labelled += [job, job["spec"]["template"]] if job else [spec["template"]] if "template" in spec else []
        labelled += spec.get("volumeClaimTemplates", [])
    for one in labelled:
        one.setdefault("metadata", {}).setdefault("labels", {}).update(labels["pairs"])
    if labels.get("includeSelectors"):
        for selector in _selectors(manifest):
            selector.update(labels["pairs"])


def _selectors(manifest: Manifest) -> Iterator[Manifest]:
    spec = manifest.get("spec", {})
    if manifest["kind"] == "Service":
        yield spec["selector"]
    elif "matchLabels" in spec.get("selector", {}):
        yield spec["selector"]["matchLabels"]
    for constraint in spec.get("template", {}).get("spec", {}).get("topologySpreadConstraints", []):
        yield constraint["labelSelector"]["matchLabels"]


def _add_hashes(manifests: list[Manifest]) -> None:
    names = {}
    for manifest in manifests:
        if manifest.pop("_hashed", False):
            name = manifest["metadata"]["name"]
            digest = hashlib.sha256(json.dumps(manifest["data"], sort_keys=True).encode()).hexdigest()[:10]
            names[name] = manifest["metadata"]["name"] = f"{name}-{digest}"
    for manifest in manifests:
        _rename_config_maps(manifest, lambda name: names.get(name, name))


def _rename_config_maps(node: Any, rename: Callable[[str], str]) -> None:
    if isinstance(node, list):
        for item in node:
            _rename_config_maps(item, rename)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in ("configMap", "configMapRef", "configMapKeyRef") and "name" in value:
                value["name"] = rename(value["name"])
            _rename_config_maps(value, rename)
