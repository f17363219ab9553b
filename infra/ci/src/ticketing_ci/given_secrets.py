"""Stores the given keys (the pipeline's secrets) in the cluster, from the environment only.

infra/k8s/cluster_secrets.py generates the others.
"""

import base64
import json
from collections.abc import Mapping

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from ticketing_ci.cluster import NAMESPACE, Cluster, Manifest

STRIPE = ("STRIPE_KEY", "STRIPE_WEBHOOK_SECRET", "STRIPE_PUBLISHABLE_KEY")
STRIPE_AUDIT = "STRIPE_AUDIT_KEY"
"""A restricted key that reads PaymentIntents and charges; without it the audit uses the key of payments."""


def given(environment: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Secrets by name; raises `ValueError` when a group is incomplete.

    `JWT_PREVIOUS_PUBLIC_KEYS` and `PASS_OTHER_PUBLIC_KEYS` (JSON lists) keep what the previous keys signed valid.
    `SECOND_FACTOR_KEYS` is such a list, too: the first key encrypts, all decrypt.
    """
    found: dict[str, dict[str, str]] = {}
    if private := environment.get("JWT_KEY", "").strip():
        key = load_pem_private_key(private.encode(), None)
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        earlier = json.loads(environment.get("JWT_PREVIOUS_PUBLIC_KEYS") or "[]")
        # The public key first: all verifiers have a key before auth signs with it.
        found["jwt-verification"] = {"JWT_PUBLIC_KEYS": json.dumps([public, *earlier])}
        found["jwt-signing"] = {"JWT_KEY": f"{private}\n"}
    if private := environment.get("PASS_KEY", "").strip():
        others = json.loads(environment.get("PASS_OTHER_PUBLIC_KEYS") or "[]")
        found["pass-signing"] = {"PASS_KEY": f"{private}\n", "PASS_PUBLIC_KEYS": json.dumps(others)}
    if keys := environment.get("SECOND_FACTOR_KEYS", "").strip():
        found["second-factor"] = {"SECOND_FACTOR_KEYS": json.dumps(json.loads(keys))}
    if address := environment.get("SMTP_URL"):
        found["smtp"] = {"SMTP_URL": address}
    there = [name for name in STRIPE if environment.get(name)]
    if there and len(there) < len(STRIPE):
        raise ValueError(f"of Stripe's three only {', '.join(there)} is given")
    if there:
        found["stripe"] = {name: environment[name] for name in STRIPE[:2]}
        found["stripe-audit"] = {STRIPE[0]: environment.get(STRIPE_AUDIT) or environment[STRIPE[0]]}
        found["stripe-publishable"] = {STRIPE[2]: environment[STRIPE[2]]}
    return found


def apply_given(cluster: Cluster, wanted: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Write changed Secrets, restart the Deployments that read them, and return the changed names (never a value)."""
    changed: list[str] = []
    for name, data in wanted.items():
        before = (cluster.get("secret", name) or {}).get("data", {})
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        if before == encoded:
            continue
        cluster.store(_secret(name, encoded))
        changed.append(name)
        for deployment in _readers(cluster, name):
            cluster.restart(deployment)
            cluster.wait(f"deployment/{deployment}", 600)
    return changed


def _secret(name: str, encoded: Mapping[str, str]) -> Manifest:
    labels = {"app.kubernetes.io/part-of": "ticketing"}
    metadata = {"name": name, "namespace": NAMESPACE, "labels": labels}
    return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "data": dict(encoded)}


def _readers(cluster: Cluster, secret: str) -> list[str]:
    found = []
    for deployment in cluster.list("deployments"):
        containers = deployment["spec"]["template"]["spec"]["containers"]
        settings = [setting for container in containers for setting in container.get("env", [])]
        if any(setting.get("valueFrom", {}).get("secretKeyRef", {}).get("name") == secret for setting in settings):
            found.append(str(deployment["metadata"]["name"]))
    return found
