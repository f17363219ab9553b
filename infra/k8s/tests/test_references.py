"""What manifests refer to exists: settings, Secrets, metrics."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from ticketing_common.telemetry import metrics
from ticketing_common.topology import SERVICES

from .manifests import containers, workloads

INFRA = Path(__file__).resolve().parents[2]

Manifests = list[dict[str, Any]]


def _made_secrets() -> dict[str, set[str]]:
    """Names and keys of the Secrets that infra/k8s/cluster_secrets.py creates, as it prints them."""
    script = INFRA / "k8s" / "cluster_secrets.py"
    listing = subprocess.run([sys.executable, str(script), "--tls"], capture_output=True, text=True, check=True).stdout
    return {name: set(keys.split(", ")) for name, keys in (line.split(": ") for line in listing.splitlines())}


def unresolved(manifests: Manifests, secrets: dict[str, set[str]]) -> list[str]:
    """Names of ConfigMaps, Secrets and their keys that a pod refers to and that do not exist."""
    configs = {m["metadata"]["name"]: set(m["data"]) for m in manifests if m["kind"] == "ConfigMap"}
    claims: dict[str, set[str]] = {
        m["metadata"]["name"]: set() for m in manifests if m["kind"] == "PersistentVolumeClaim"
    }
    broken = []

    def ask(where: str, kind: str, known: dict[str, set[str]], name: str, key: str | None = None) -> None:
        if name not in known or (key is not None and key not in known[name]):
            broken.append(f"{where}: no {kind} {name} with {key}")

    for where, container, pod in containers(manifests):
        for source in container.get("envFrom", []):
            for field, kind, known in (("configMapRef", "ConfigMap", configs), ("secretRef", "Secret", secrets)):
                if field in source:
                    ask(where, kind, known, source[field]["name"])
        for source in (entry["valueFrom"] for entry in container.get("env", []) if "valueFrom" in entry):
            for field, kind, known in (("configMapKeyRef", "ConfigMap", configs), ("secretKeyRef", "Secret", secrets)):
                if field in source:
                    ask(where, kind, known, source[field]["name"], source[field]["key"])
        volumes = pod.get("volumes", [])
        for volume in [*volumes, *(part for v in volumes for part in v.get("projected", {}).get("sources", []))]:
            if "configMap" in volume:
                ask(where, "ConfigMap", configs, volume["configMap"]["name"])
            if "secret" in volume:
                name = volume["secret"].get("secretName") or volume["secret"]["name"]
                for key in [item["key"] for item in volume["secret"].get("items", [])] or [None]:
                    ask(where, "Secret", secrets, name, key)
            if "persistentVolumeClaim" in volume:
                ask(where, "claim", claims, volume["persistentVolumeClaim"]["claimName"])
    for gateway in (m for m in manifests if m["kind"] == "Gateway"):
        for listener in gateway["spec"]["listeners"]:
            for reference in listener.get("tls", {}).get("certificateRefs", []):
                ask("Gateway", "Secret", secrets, reference["name"])
    return broken


def test_every_reference_to_a_setting_or_a_secret_resolves(manifests: Manifests) -> None:
    assert unresolved(manifests, _made_secrets()) == []


def test_a_missing_key_of_a_secret_is_detected(production: Manifests) -> None:
    secrets = _made_secrets()
    secrets["auth-database"] = {"ANOTHER"}

    assert unresolved(production, secrets)


def test_every_service_has_the_settings_that_it_needs(manifests: Manifests) -> None:
    given = {}
    config = next(m["data"] for m in manifests if m["metadata"]["name"].startswith("settings-"))
    for _, manifest, pod in workloads(manifests):
        container = pod["spec"]["containers"][0]
        given[manifest["metadata"]["name"]] = {e["name"] for e in container.get("env", [])} | (
            set(config) if container.get("envFrom") else set()
        )

    for name, service in SERVICES.items():
        module = __import__(f"{service.package}.settings", fromlist=["Settings"])
        required = {field.upper() for field, info in module.Settings.model_fields.items() if info.is_required()}
        for workload in (name, "worker") if name == "expiration" else (name,):
            assert required <= given[workload] | {"SERVICE_NAME"}, workload
            assert given[workload] <= {
                *(field.upper() for field in module.Settings.model_fields),
            } | set(config), f"{workload} has settings that it does not define"


def test_alerts_and_dashboard_use_existing_metrics(production: Manifests) -> None:
    texts = [text for m in production if m["kind"] == "ConfigMap" for text in m["data"].values()]
    rules = next(yaml.safe_load(text) for text in texts if text.startswith("# Prometheus rules"))
    board = next(json.loads(text) for text in texts if text.startswith("{"))
    asked = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    asked += [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    ours = {sample for name in metrics.__all__ if name.isupper() for sample in _samples(getattr(metrics, name))}
    # The gauge of the audit, and the metrics of kube-state-metrics.
    others = {"invariant_violations", "kube_job_status_failed", "kube_cronjob_status_last_successful_time"}

    for expression in asked:
        names = set(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b(?=\s*[{\[)]|\s*$|\)? >)", expression)) - {"histogram_quantile"}
        assert names, expression
        assert names <= ours | others, expression


def _samples(metric: Any) -> set[str]:
    (family,) = metric.describe()
    suffixes = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}[family.type]
    return {f"{family.name}{suffix}" for suffix in suffixes}
