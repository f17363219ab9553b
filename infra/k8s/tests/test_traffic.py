"""What the gateway does with requests: open streams, repetitions, and the address of the buyer."""

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import yaml

from ticketing_common.settings import ServiceSettings

pytestmark = pytest.mark.unit

INFRA = Path(__file__).resolve().parents[2]
ENVOY_IDLE_SECONDS = 300
"""Envoy ends a stream without a byte for five minutes (`stream_idle_timeout`, its default)."""

Manifests = list[dict[str, Any]]


def _controller(kind: str) -> dict[str, Any]:
    """The object of this kind among those that are applied with Envoy Gateway."""
    files = (INFRA / "k8s" / "controllers").glob("*.yaml")
    objects = [document for file in files for document in yaml.safe_load_all(file.read_text())]
    return next(document["spec"] for document in objects if document["kind"] == kind)


def _streams() -> list[str]:
    """The paths that answer with an event stream, from the documents of the HTTP interface."""
    found = []
    for file in (INFRA.parent / "docs" / "openapi").glob("*.json"):
        for path, operations in json.loads(file.read_text())["paths"].items():
            content = operations.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
            if "text/event-stream" in content:
                found.append(path.replace("{order_id}", "0" * 24))
    return found


def _rule(manifests: Manifests, path: str) -> dict[str, Any]:
    """The rule for a path: an exact match, otherwise the longest prefix (HTTPRouteRule.matches)."""
    route = next(m for m in manifests if m["kind"] == "HTTPRoute" and m["metadata"]["name"] == "ticketing")
    candidates = []
    for rule in route["spec"]["rules"]:
        for match in rule["matches"]:
            kind, value = match["path"]["type"], match["path"]["value"]
            if kind == "Exact" and path == value:
                candidates.append((1, len(value), rule))
            elif kind == "PathPrefix" and f"{path}/".startswith(f"{value.rstrip('/')}/"):
                candidates.append((0, len(value), rule))
    found: dict[str, Any] = max(candidates, key=lambda candidate: candidate[:2])[2]
    return found


def test_the_gateway_ends_no_event_stream(manifests: Manifests) -> None:
    paths = _streams()
    assert len(paths) >= 2
    for path in paths:
        assert _rule(manifests, path)["timeouts"] == {"request": "0s", "backendRequest": "0s"}, path
    heartbeat = ServiceSettings.model_fields["stream_heartbeat_seconds"].default
    assert heartbeat * 4 <= ENVOY_IDLE_SECONDS


def test_the_gateway_repeats_no_request(manifests: Manifests) -> None:
    policy = _controller("BackendTrafficPolicy")
    assert policy["retry"] == {"numRetries": 0}
    gateways = {m["metadata"]["name"] for m in manifests if m["kind"] == "Gateway"}
    assert {target["name"] for target in policy["targetRefs"] if target["kind"] == "Gateway"} == gateways
    rules = [rule for m in manifests if m["kind"] == "HTTPRoute" for rule in m["spec"]["rules"]]
    assert rules
    assert not any("retry" in rule for rule in rules)


def test_the_gateway_closes_an_idle_connection_before_its_backend_does() -> None:
    """Else a request could meet a connection that is being closed, and the gateway does not repeat it."""
    idle = _controller("BackendTrafficPolicy")["timeout"]["http"]["connectionIdleTimeout"]
    services = inspect.signature(uvicorn.Config).parameters["timeout_keep_alive"].default
    bounds = (INFRA.parent / "client" / "lib" / "server" / "bounds.ts").read_text()
    (client_ms,) = re.findall(r"^ +keepAliveTimeout: ([\d_]+),$", bounds, re.MULTILINE)
    assert 0 < float(idle.removesuffix("s")) < min(services, int(client_ms) / 1000)
    started = [file.read_text() for file in INFRA.parent.glob("*/Dockerfile")]
    assert started
    assert not any("keep-alive" in text for text in started), "the services use the server's default"


def test_the_gateway_reports_the_address_of_the_buyer_and_trusts_no_hop_before_it() -> None:
    service = _controller("EnvoyProxy")["provider"]["kubernetes"]["envoyService"]
    assert service["externalTrafficPolicy"] == "Local"
    assert "clientIPDetection" not in _controller("ClientTrafficPolicy")


def test_the_gateway_accepts_tls_1_2_and_newer_only() -> None:
    assert _controller("ClientTrafficPolicy")["tls"]["minVersion"] in ("1.2", "1.3")
