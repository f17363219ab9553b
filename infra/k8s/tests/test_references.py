"""Every ConfigMap, Secret and claim that a pod or a Gateway refers to exists, with its keys."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from . import policies

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

    for where, container, pod in policies.containers(manifests):
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
            if "secret" in volume and not volume["secret"].get("optional"):
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


def _kept_by_cert_manager(manifests: Manifests) -> dict[str, set[str]]:
    """The Secrets of the Certificates, and their keys. https://cert-manager.io/docs/usage/certificate/"""
    return {
        m["spec"]["secretName"]: {"tls.crt", "tls.key", "ca.crt"}
        | {
            "tls-combined.pem"
            for extra in m["spec"].get("additionalOutputFormats", [])
            if extra["type"] == "CombinedPEM"
        }
        for m in manifests
        if m["kind"] == "Certificate"
    }


def test_every_reference_to_a_setting_or_a_secret_resolves(manifests: Manifests) -> None:
    assert unresolved(manifests, {**_made_secrets(), **_kept_by_cert_manager(manifests)}) == []


def test_a_missing_key_of_a_secret_is_detected(production: Manifests) -> None:
    secrets = _made_secrets()
    secrets["auth-database"] = {"ANOTHER"}

    assert unresolved(production, secrets)
