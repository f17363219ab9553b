"""Every overlay renders, is valid and follows the policies; and each policy detects a violation."""

import copy
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from ticketing_common.telemetry import metrics
from ticketing_common.topology import SERVICES

from . import policies
from .rendering import external_renderer, render_in_python, render_outside

INFRA = Path(__file__).resolve().parents[2]
ROOT = INFRA.parent
KUBERNETES = ("1.35", "1.36", "1.37")
"""The current minor version and the two before."""

Manifests = list[dict[str, Any]]


@cache
def _validate(manifest: str) -> None:
    """Validate an object, given as JSON; most objects are the same in every overlay."""
    for version in KUBERNETES:
        kubernetes_validate.validate(json.loads(manifest), version, strict=True)


def test_every_object_is_valid_in_the_supported_versions(manifests: Manifests) -> None:
    for manifest in manifests:
        if manifest["apiVersion"].startswith(("gateway.networking.k8s.io/", "cert-manager.io/")):
            continue  # not part of Kubernetes; see every_route_leads_to_a_service and test_tls.py
        _validate(json.dumps(manifest))


@pytest.mark.parametrize("policy", policies.POLICIES, ids=lambda policy: policy.__name__)
def test_every_overlay_keeps(policy: Callable[[Manifests], list[str]], manifests: Manifests) -> None:
    assert policy(manifests) == []


def test_plain_http_is_redirected_for_pages_and_not_for_the_api(production: Manifests) -> None:
    routes = [manifest for manifest in production if manifest["kind"] == "HTTPRoute"]
    plain = [route for route in routes if route["spec"]["parentRefs"][0]["sectionName"] == "http"]
    rules = {rule["matches"][0]["path"]["value"]: rule for route in plain for rule in route["spec"]["rules"]}

    assert rules["/"]["filters"][0]["requestRedirect"]["scheme"] == "https"
    assert rules["/api"].keys() == {"matches"}, "neither a redirect nor a backend"
    assert all(rule["matches"][0]["path"]["type"] == "PathPrefix" for rule in rules.values())
    assert set(rules) == {"/", "/api"}


@pytest.mark.skipif(external_renderer() is None, reason="no kustomize and no kubectl here to compare with")
def test_the_python_renderer_agrees_with_kustomize(overlay: str) -> None:
    def comparable(manifests: Manifests) -> dict[tuple[str, str], Any]:
        text = re.sub(r'(?<=[a-z])-[0-9a-z]{10}(?=")', "-hash", json.dumps(manifests))
        return {(one["kind"], one["metadata"]["name"]): one for one in json.loads(text)}

    assert comparable(render_in_python(INFRA / overlay)) == comparable(render_outside(INFRA / overlay))


def test_every_service_has_the_settings_that_it_needs(manifests: Manifests) -> None:
    given = {}
    config = next(m["data"] for m in manifests if m["metadata"]["name"].startswith("settings-"))
    for _, manifest, pod in policies.workloads(manifests):
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
    ours = {sample for name in vars(metrics) if name.isupper() for sample in _samples(getattr(metrics, name))}
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


def _find(manifests: Manifests, kind: str, name: str) -> dict[str, Any]:
    return next(m for m in manifests if m["kind"] == kind and m["metadata"]["name"].startswith(name))


def _container(manifests: Manifests, kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = _find(manifests, kind, name)["spec"]["template"]["spec"]["containers"][0]
    return found


def _replace_in_config(manifests: Manifests, name: str, file: str, old: str, new: str) -> None:
    data = _find(manifests, "ConfigMap", name)["data"]
    assert old in data[file]
    data[file] = data[file].replace(old, new)


BREAKAGES: dict[str, tuple[Callable[[Manifests], object], Callable[[Manifests], list[str]]]] = {
    "no liveness": (
        lambda m: _container(m, "Deployment", "auth").pop("livenessProbe"),
        policies.every_long_running_container_has_its_probes,
    ),
    "liveness does I/O": (
        lambda m: _container(m, "Deployment", "auth")["livenessProbe"]["httpGet"].update(path="/readyz"),
        policies.every_long_running_container_has_its_probes,
    ),
    "no memory limit": (
        lambda m: _container(m, "StatefulSet", "nats")["resources"]["limits"].pop("memory"),
        policies.every_container_has_requests_and_limits,
    ),
    "root": (
        lambda m: _find(m, "StatefulSet", "redis")["spec"]["template"]["spec"]["securityContext"].update(runAsUser=0),
        policies.every_pod_meets_the_restricted_standard,
    ),
    "capabilities": (
        lambda m: _container(m, "Deployment", "orders")["securityContext"].pop("capabilities"),
        policies.every_pod_meets_the_restricted_standard,
    ),
    "token": (
        lambda m: _find(m, "Deployment", "client")["spec"]["template"]["spec"].pop("automountServiceAccountToken"),
        policies.every_pod_meets_the_restricted_standard,
    ),
    "namespace lets everything in": (
        lambda m: _find(m, "Namespace", "ticketing")["metadata"]["labels"].clear(),
        policies.the_namespace_enforces_the_restricted_standard,
    ),
    "latest": (
        lambda m: _container(m, "StatefulSet", "nats").update(image="nats:latest"),
        policies.every_image_is_pinned,
    ),
    "no tag": (
        lambda m: _container(m, "StatefulSet", "auth-mongodb").update(image="mongo"),
        policies.every_image_is_pinned,
    ),
    "service selects other labels": (
        lambda m: _find(m, "Service", "redis")["spec"].update(selector={"app": "rmq"}),
        policies.every_service_selects_pods_that_listen,
    ),
    "service sends to another port": (
        lambda m: _find(m, "Service", "tickets")["spec"]["ports"][0].update(targetPort=9000),
        policies.every_service_selects_pods_that_listen,
    ),
    "autoscaler of nothing": (
        lambda m: _find(m, "HorizontalPodAutoscaler", "orders")["spec"]["scaleTargetRef"].update(name="order"),
        policies.every_selector_and_target_finds_its_own,
    ),
    "route to nowhere": (
        lambda m: _find(m, "HTTPRoute", "ticketing")["spec"]["rules"][0]["backendRefs"][0].update(name="ticket"),
        policies.every_route_leads_to_a_service,
    ),
    "route without listener": (
        lambda m: _find(m, "HTTPRoute", "ticketing")["spec"]["parentRefs"][0].update(sectionName="tls"),
        policies.every_route_leads_to_a_service,
    ),
    "policy without pods": (
        lambda m: _find(m, "NetworkPolicy", "redis")["spec"]["podSelector"].update(
            matchLabels={"app.kubernetes.io/name": "rediss"}
        ),
        policies.every_network_policy_matches_something,
    ),
    "no default deny": (
        lambda m: m.remove(_find(m, "NetworkPolicy", "default-deny")),
        policies.nothing_is_allowed_by_default,
    ),
    "half an arrow": (
        lambda m: _find(m, "NetworkPolicy", "nats")["spec"].pop("ingress"),
        policies.every_arrow_has_both_ends,
    ),
    "a Secret in the tree": (
        lambda m: m.append({"kind": "Secret", "metadata": {"name": "stripe"}}),
        policies.nothing_secret_is_in_the_tree,
    ),
    "a password in a value": (
        lambda m: _container(m, "Deployment", "auth")["env"].append({"name": "MONGO_URL", "value": "mongodb://a:b@c"}),
        policies.nothing_secret_is_in_the_tree,
    ),
    "a password in a ConfigMap": (
        lambda m: _replace_in_config(m, "nats", "users.conf", "$TICKETS_PASSWORD", "plain"),
        policies.nothing_secret_is_in_the_tree,
    ),
    "another has the private key": (
        lambda m: _container(m, "Deployment", "orders")["env"].append(
            {"name": "JWT_KEY", "valueFrom": {"secretKeyRef": {"name": "jwt-signing", "key": "JWT_KEY"}}}
        ),
        policies.only_its_signer_has_a_private_key,
    ),
    "another signs passes": (
        lambda m: _container(m, "Deployment", "payments")["env"].append(
            {"name": "PASS_KEY", "valueFrom": {"secretKeyRef": {"name": "pass-signing", "key": "PASS_KEY"}}}
        ),
        policies.only_its_signer_has_a_private_key,
    ),
    "streams beside the volume": (
        lambda m: _replace_in_config(m, "nats", "nats.conf", "store_dir: /data", "store_dir: /tmp/nats"),
        policies.the_streams_are_on_the_volume,
    ),
    "no volume": (
        lambda m: _find(m, "StatefulSet", "orders-mongodb")["spec"].pop("volumeClaimTemplates"),
        policies.the_streams_are_on_the_volume,
    ),
    "killed before it has drained": (
        lambda m: _find(m, "Deployment", "orders")["spec"]["template"]["spec"].update(terminationGracePeriodSeconds=20),
        policies.the_grace_period_fits_the_drain,
    ),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_broken_copy_is_detected(breakage: str, production: Manifests) -> None:
    damage, policy = BREAKAGES[breakage]
    broken = copy.deepcopy(production)
    damage(broken)

    assert policy(broken)


def test_every_policy_has_a_broken_copy() -> None:
    assert {policy for _, policy in BREAKAGES.values()} == set(policies.POLICIES)


def test_an_unknown_field_is_invalid(production: Manifests) -> None:
    broken = copy.deepcopy(_find(production, "Deployment", "auth"))
    broken["spec"]["replica"] = 3

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, KUBERNETES[-1], strict=True)


def test_the_loop_beside_mongod_ends_on_sigterm(manifests: Manifests) -> None:
    """Process 1 of a container handles SIGTERM only with a handler; otherwise the pod uses its whole grace period."""
    scripts = [m["data"]["replica-set.js"] for m in manifests if "replica-set.js" in m.get("data", {})]

    assert scripts
    assert all('process.on("SIGTERM", () => process.exit(0));' in script for script in scripts)
