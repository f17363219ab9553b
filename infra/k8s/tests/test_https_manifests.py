"""HTTPS between the pods, as the prod overlay has it: servers, their callers, and the change from HTTP."""

import os
from pathlib import Path
from typing import Any

from .manifests import named, workloads
from .rendering import render

Manifests = list[dict[str, Any]]

INFRA = Path(__file__).resolve().parents[2]
FOLDER = "/etc/service-tls"
CALLED = {"auth", "tickets", "orders", "payments", "client"}
"""The Services that the gateway sends requests to."""


def _services(production: Manifests) -> dict[str, dict[str, Any]]:
    """The pod specs of our own processes, by name."""
    return {
        manifest["metadata"]["name"]: pod["spec"]
        for _, manifest, pod in workloads(production)
        if pod["metadata"]["labels"].get("app.kubernetes.io/component") == "service"
    }


def _variables(production: Manifests, pod: dict[str, Any]) -> dict[str, str]:
    container = pod["containers"][0]
    config = next(m["data"] for m in production if m["kind"] == "ConfigMap" and "NATS_REPLICAS" in m["data"])
    own = {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}
    return (dict(config) if container.get("envFrom") else {}) | own


def test_every_process_serves_https_only_with_a_certificate_for_its_name(production: Manifests) -> None:
    issued = {m["spec"]["secretName"]: m["spec"]["dnsNames"] for m in production if "dnsNames" in m.get("spec", {})}
    pods = _services(production)
    assert CALLED | {"expiration", "worker", "mail"} == pods.keys()
    for name, pod in pods.items():
        (container,) = pod["containers"]
        assert container["ports"] == [{"name": "https", "containerPort": 8000}], name
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            asked = container[probe]["httpGet"]
            assert (asked["port"], asked["scheme"]) == ("https", "HTTPS"), f"{name}: {probe}"
        mount = next(m for m in container["volumeMounts"] if m["mountPath"] == FOLDER)
        volume = next(v for v in pod["volumes"] if v["name"] == mount["name"])
        assert volume["secret"] == {"secretName": f"{name}-tls"}
        # Prometheus reaches pods by address, and verifies one name for all.
        assert issued[f"{name}-tls"] == [name, "metrics"]
        prefix = ("TLS_CERT_FILE", "TLS_KEY_FILE")
        if name != "client":
            prefix = ("UVICORN_SSL_CERTFILE", "UVICORN_SSL_KEYFILE")
        assert [_variables(production, pod)[variable] for variable in prefix] == [
            f"{FOLDER}/tls.crt",
            f"{FOLDER}/tls.key",
        ]


def test_the_gateway_reaches_every_backend_over_tls_and_verifies_its_name(production: Manifests) -> None:
    services = named(production, "Service")
    reached = set()
    for route in named(production, "HTTPRoute").values():
        for backend in (one for rule in route["spec"]["rules"] for one in rule.get("backendRefs", [])):
            port = next(p for p in services[backend["name"]]["spec"]["ports"] if p["port"] == backend["port"])
            assert port["targetPort"] == "https", backend
            reached.add((backend["name"], port["name"]))
    assert {name for name, _ in reached} == CALLED

    verified = set()
    for policy in named(production, "BackendTLSPolicy").values():
        (target,) = policy["spec"]["targetRefs"]
        assert (target["group"], target["kind"]) == ("", "Service")
        validation = policy["spec"]["validation"]
        assert validation["hostname"] == target["name"]
        (reference,) = validation["caCertificateRefs"]
        assert reference == {"group": "", "kind": "Secret", "name": f"{target['name']}-tls"}
        verified.add((target["name"], target["sectionName"]))
    assert verified == reached


def test_only_production_has_https(manifests: Manifests, overlay: str) -> None:
    probed = {
        probe["httpGet"].get("scheme", "HTTP")
        for pod in _services(manifests).values()
        for name, probe in pod["containers"][0].items()
        if name.endswith("Probe")
    }
    assert probed == {"HTTPS" if overlay == "k8s-prod" else "HTTP"}
    assert bool(named(manifests, "BackendTLSPolicy")) == (overlay == "k8s-prod")


def test_during_the_change_requests_go_to_the_pods_that_speak_http(tmp_path: Path) -> None:
    """The Services lead by the name of the port, so pods of both kinds can be there at once."""
    prod, component = (os.path.relpath(INFRA / name, tmp_path) for name in ("k8s-prod", "k8s/components/http-routes"))
    (tmp_path / "kustomization.yaml").write_text(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
        f"resources: [{prod}]\ncomponents: [{component}]\n"
    )
    changing = render(tmp_path)
    services = named(changing, "Service")
    routes = named(changing, "HTTPRoute")["ticketing"]["spec"]["rules"]
    backends = [backend for rule in routes for backend in rule["backendRefs"]]
    assert {backend["name"] for backend in backends} == CALLED
    for backend in backends:
        ports = {port["port"]: port["targetPort"] for port in services[backend["name"]]["spec"]["ports"]}
        assert ports[backend["port"]] == "http"
        assert "https" in ports.values()
