"""The log collector on each node: what it may do, what it sends where, and how it tells security events apart."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from . import policies
from .rendering import render
from .test_overlays import KUBERNETES
from .test_references import unresolved

Manifests = list[dict[str, Any]]

FOLDER = Path(__file__).resolve().parents[2] / "k8s-logs"


@pytest.fixture(scope="module")
def logs() -> Manifests:
    return render(FOLDER)


@pytest.fixture
def config(logs: Manifests) -> dict[str, Any]:
    text = next(m["data"]["collector-config.yaml"] for m in logs if m["kind"] == "ConfigMap")
    parsed: dict[str, Any] = yaml.safe_load(text)
    return parsed


def test_the_objects_are_valid_and_what_they_refer_to_exists(logs: Manifests) -> None:
    for manifest in logs:
        for version in KUBERNETES:
            kubernetes_validate.validate(manifest, version, strict=True)
    made_by_hand = {"logs": {"LOGS_HOST", "LOGS_AUTHORIZATION"}}
    assert unresolved(logs, made_by_hand) == []
    assert unresolved(logs, {"logs": {"LOGS_HOST"}})


def test_the_collector_keeps_to_the_restricted_standard_except_for_the_files_of_the_node(logs: Manifests) -> None:
    broken = policies.every_pod_meets_the_restricted_standard(logs)
    assert broken == ["DaemonSet collector, container collector: has a volume of a forbidden kind"]
    for policy in (
        policies.every_long_running_container_has_its_probes,
        policies.every_container_has_requests_and_limits,
        policies.every_image_is_pinned,
        policies.nothing_is_allowed_by_default,
        policies.nothing_secret_is_in_the_tree,
    ):
        assert policy(logs) == []

    (pod,) = (pod for _, _, pod in policies.workloads(logs))
    (volume,) = (one for one in pod["spec"]["volumes"] if "hostPath" in one)
    assert volume["hostPath"]["path"] == "/var/log/pods"
    mounts = pod["spec"]["containers"][0]["volumeMounts"]
    assert next(m for m in mounts if m["name"] == volume["name"])["readOnly"] is True


def test_nothing_reaches_the_collector_and_it_reaches_https_only(logs: Manifests) -> None:
    (policy,) = (m["spec"] for m in logs if m["kind"] == "NetworkPolicy")
    assert policy["podSelector"] == {}
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert "ingress" not in policy
    outside = [rule for rule in policy["egress"] if any("ipBlock" in end for end in rule["to"])]
    assert [rule["ports"] for rule in outside] == [[{"port": 443, "protocol": "TCP"}]]


def test_lines_leave_the_node_over_tls_only_and_wait_for_the_endpoint(config: dict[str, Any]) -> None:
    (pipeline,) = config["service"]["pipelines"].values()
    assert pipeline["exporters"] == list(config["exporters"])
    (exporter,) = config["exporters"].values()
    assert exporter["endpoint"].startswith("https://")
    assert exporter["headers"] == {"Authorization": "${env:LOGS_AUTHORIZATION}"}
    assert exporter["tls"] == {"min_version": "1.2"}  # neither `insecure` nor `insecure_skip_verify`
    assert exporter["retry_on_failure"] == {"max_elapsed_time": "0s"}  # never given up
    assert exporter["sending_queue"]["storage"] in config["service"]["extensions"]
    assert exporter["sending_queue"]["block_on_overflow"] is True
    (receiver,) = (config["receivers"][name] for name in pipeline["receivers"])
    assert receiver["include"] == ["/var/log/pods/ticketing_*/*/*.log"]
    assert receiver["storage"] in config["service"]["extensions"]


def test_security_events_have_a_class_of_their_own(config: dict[str, Any]) -> None:
    """Whether the collector understands it, it says itself (docs/kubernetes.md); here it must name our events."""
    operators = config["receivers"]["file_log"]["operators"]
    classes = {one["value"]: one["if"] for one in operators if one.get("field") == 'resource["log.class"]'}
    assert classes == {
        "security": 'attributes.event == "security event"',
        "operation": 'attributes.event != "security event"',
    }
    source = Path(policies.__file__).resolve().parents[3] / "common/src/ticketing_common/telemetry/security_events.py"
    assert '"security event"' in source.read_text()
