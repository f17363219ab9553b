"""Policies for every rendered overlay; each returns the violations as text."""

import re
from collections.abc import Callable

from .manifests import Manifest, containers, named, pod_of, pods_with, selects, workloads

__all__ = ["POLICIES", "containers", "workloads"]

Policy = Callable[[list[Manifest]], list[str]]
PINNED = re.compile(r"^[a-z0-9./-]+(:[0-9]+)?[a-z0-9./-]*:v?[0-9]+\.[0-9]+\.[0-9]+[a-z0-9.-]*(@sha256:[0-9a-f]{64})?$")


def every_long_running_container_has_its_probes(manifests: list[Manifest]) -> list[str]:
    """Startup, readiness and liveness probes; the liveness probe never uses the readiness endpoint."""
    broken = []
    for name, manifest, pod in workloads(manifests):
        if manifest["kind"] not in ("Deployment", "StatefulSet", "DaemonSet"):
            continue
        for container in pod["spec"]["containers"]:
            missing = [p for p in ("startupProbe", "readinessProbe", "livenessProbe") if p not in container]
            broken += [f"{name}, container {container['name']}: no {probe}" for probe in missing]
            if container.get("livenessProbe", {}).get("httpGet", {}).get("path") == "/readyz":
                broken.append(f"{name}: the liveness probe uses the readiness endpoint")
    return broken


def every_container_has_requests_and_limits(manifests: list[Manifest]) -> list[str]:
    """Requests and limits of CPU and memory."""
    return [
        f"{name}: no {kind} for {resource}"
        for name, container, _ in containers(manifests)
        for kind in ("requests", "limits")
        for resource in ("cpu", "memory")
        if resource not in container.get("resources", {}).get(kind, {})
    ]


def every_pod_meets_the_restricted_standard(manifests: list[Manifest]) -> list[str]:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted, a numeric user, and no token."""
    broken = []
    for name, container, pod in containers(manifests):
        context = {**pod.get("securityContext", {}), **container.get("securityContext", {})}
        conditions = {
            "does not run as a number other than 0": context.get("runAsNonRoot") is True
            and context.get("runAsUser", 0) > 0,
            "may gain privileges": context.get("allowPrivilegeEscalation") is False,
            "keeps capabilities": context.get("capabilities") == {"drop": ["ALL"]},
            "has no seccomp profile": context.get("seccompProfile") == {"type": "RuntimeDefault"},
            "gets a service account token": pod.get("automountServiceAccountToken") is False,
            "uses the host": not any(pod.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")),
            "has a volume of a forbidden kind": all("hostPath" not in volume for volume in pod.get("volumes", [])),
        }
        broken += [f"{name}: {what}" for what, holds in conditions.items() if not holds]
    return broken


def the_namespace_enforces_the_restricted_standard(manifests: list[Manifest]) -> list[str]:
    """The label enforces the standard, not only warns."""
    return [
        f"Namespace {name} does not enforce `restricted`"
        for name, namespace in named(manifests, "Namespace").items()
        if namespace["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce") != "restricted"
    ] or ([] if named(manifests, "Namespace") else ["there is no Namespace"])


def every_image_is_pinned(manifests: list[Manifest]) -> list[str]:
    """Images have a full version, so that the same files always start the same programs."""
    return [
        f"{name}: {container['image']} is not a full version"
        for name, container, _ in containers(manifests)
        if not PINNED.match(container["image"])
    ]


def every_service_selects_pods_that_listen(manifests: list[Manifest]) -> list[str]:
    """Each selector matches pods that have the target port.

    The port `http` beside `https` is only for pods of the release before: docs/kubernetes.md.
    """
    broken = []
    for name, service in named(manifests, "Service").items():
        found = pods_with(manifests, {"matchLabels": service["spec"]["selector"]})
        if not found:
            broken.append(f"Service {name} selects nothing")
        for pod in found:
            ports = [port for container in pod["spec"]["containers"] for port in container.get("ports", [])]
            known = {port[field] for port in ports for field in ("containerPort", "name")}
            if "https" in known:
                known.add("http")
            broken += [
                f"Service {name}: its pods have no port {port['targetPort']}"
                for port in service["spec"]["ports"]
                if port["targetPort"] not in known
            ]
    return broken


def every_selector_and_target_finds_its_own(manifests: list[Manifest]) -> list[str]:
    """Workloads select their pods, budgets match one workload, autoscalers have a target, sets have their Service."""
    broken = []
    for name, manifest, pod in workloads(manifests):
        selector = manifest["spec"].get("selector")
        if selector and not selects(selector, pod["metadata"]["labels"]):
            broken.append(f"{name} does not select its own pods")
        if manifest["kind"] == "StatefulSet" and manifest["spec"]["serviceName"] not in named(manifests, "Service"):
            broken.append(f"{name} has no Service {manifest['spec']['serviceName']}")
    for name, budget in named(manifests, "PodDisruptionBudget").items():
        if len(pods_with(manifests, budget["spec"]["selector"])) != 1:
            broken.append(f"PodDisruptionBudget {name} protects not exactly one kind of pod")
    for name, autoscaler in named(manifests, "HorizontalPodAutoscaler").items():
        if autoscaler["spec"]["scaleTargetRef"]["name"] not in named(manifests, "Deployment"):
            broken.append(f"HorizontalPodAutoscaler {name} scales nothing")
    return broken


def every_route_leads_to_a_service(manifests: list[Manifest]) -> list[str]:
    """Backends exist with that port, and every route refers to a listener of an existing Gateway."""
    services, gateways = named(manifests, "Service"), named(manifests, "Gateway")
    broken = []
    for name, route in named(manifests, "HTTPRoute").items():
        for parent in route["spec"]["parentRefs"]:
            gateway = gateways.get(parent["name"], {"spec": {"listeners": []}})
            listeners = [listener["name"] for listener in gateway["spec"]["listeners"]]
            if not listeners or parent.get("sectionName", listeners[0]) not in listeners:
                broken.append(f"HTTPRoute {name} has no listener")
        for backend in (b for rule in route["spec"]["rules"] for b in rule.get("backendRefs", [])):
            ports = services.get(backend["name"], {"spec": {"ports": []}})["spec"]["ports"]
            if backend["port"] not in [port["port"] for port in ports]:
                broken.append(f"HTTPRoute {name}: no Service {backend['name']} with port {backend['port']}")
    return broken


def every_network_policy_matches_something(manifests: list[Manifest]) -> list[str]:
    """Each selector of a NetworkPolicy matches pods, if it is about this namespace."""
    broken = []
    for name, policy in named(manifests, "NetworkPolicy").items():
        spec = policy["spec"]
        selectors = [spec["podSelector"]]
        for direction, end in (("ingress", "from"), ("egress", "to")):
            for rule in spec.get(direction, []):
                selectors += [p["podSelector"] for p in rule.get(end, []) if p.keys() == {"podSelector"}]
        # Skaffold creates the demo's pod from a file outside the overlay.
        broken += [
            f"NetworkPolicy {name}: {selector} finds no pod"
            for selector in selectors
            if not pods_with(manifests, selector) and selector != {"matchLabels": {"app.kubernetes.io/name": "demo"}}
        ]
    return broken


def nothing_is_allowed_by_default(manifests: list[Manifest]) -> list[str]:
    """One policy selects every pod, in both directions, and allows nothing."""
    policies = named(manifests, "NetworkPolicy").values()
    closed = [p["spec"] for p in policies if p["spec"]["podSelector"] == {} and not p["spec"].get("ingress")]
    return [] if any(set(spec["policyTypes"]) == {"Ingress", "Egress"} for spec in closed) else ["no default deny"]


def every_arrow_has_both_ends(manifests: list[Manifest]) -> list[str]:
    """A connection that egress allows is also allowed by ingress, on the same port, and the other way round."""
    policies = [p["spec"] for p in named(manifests, "NetworkPolicy").values()]
    broken = []
    for _, _, source in workloads(manifests):
        for _, _, target in workloads(manifests):
            out = _ports(policies, "egress", "to", source, target)
            into = _ports(policies, "ingress", "from", target, source)
            if out != into:
                ends = " → ".join(pod["metadata"]["labels"]["app.kubernetes.io/name"] for pod in (source, target))
                broken.append(f"{ends}: may send to {sorted(out)}, may be received on {sorted(into)}")
    return broken


def _ports(policies: list[Manifest], direction: str, end: str, pod: Manifest, peer: Manifest) -> set[int]:
    labels, others = pod["metadata"]["labels"], peer["metadata"]["labels"]
    return {
        port["port"]
        for spec in policies
        if selects(spec["podSelector"], labels)
        for rule in spec.get(direction, [])
        if any(p.keys() == {"podSelector"} and selects(p["podSelector"], others) for p in rule.get(end, []))
        for port in rule["ports"]
    }


def nothing_secret_is_in_the_tree(manifests: list[Manifest]) -> list[str]:
    """No Secret in the files, and no password or key in a value, an argument or a ConfigMap."""
    broken = [f"Secret {name} is in the tree" for name in named(manifests, "Secret")]
    suspicious = re.compile(r"PRIVATE KEY|://[^/$\s]+:[^$@\s]+@|\b(sk|rk|whsec)_[A-Za-z0-9]{8}")
    for name, container, _ in containers(manifests):
        values = [entry.get("value", "") for entry in container.get("env", [])]
        values += [*container.get("command", []), *container.get("args", [])]
        broken += [f"{name}: a value looks like a secret" for value in values if suspicious.search(value)]
    plain = re.compile(
        r"PRIVATE KEY|^\s*(password|requirepass|token)\s*[:= ]\s*\"?[^$\s{\"]+", re.IGNORECASE | re.MULTILINE
    )
    for name, config in named(manifests, "ConfigMap").items():
        broken += [
            f"ConfigMap {name}: {key} holds a secret" for key, text in config["data"].items() if plain.search(text)
        ]
    return broken


def only_its_signer_has_a_private_key(manifests: list[Manifest]) -> list[str]:
    """Only auth refers to the Secrets that sign tokens and encrypt second factors, only orders to that of passes."""
    signers = {"jwt-signing": "auth", "second-factor": "auth", "pass-signing": "orders"}
    return [
        f"{name} is given the private key of {signer}"
        for name, _, pod in workloads(manifests)
        for secret, signer in signers.items()
        if secret in str(pod) and pod["metadata"]["labels"]["app.kubernetes.io/name"] != signer
    ]


def the_streams_are_on_the_volume(manifests: list[Manifest]) -> list[str]:
    """`store_dir` of the configuration is the mount path of the volume; likewise for MongoDB and Redis."""
    written = {
        "nats": (r"store_dir:\s*\"?([^\s\"]+)", "nats.conf", "nats"),
        "redis": (r"^dir (\S+)$", "redis.conf", "redis"),
        "mongodb": (r"dbPath: (\S+)", "mongod.conf", "mongodb"),
    }
    broken = []
    sets = [m for m in manifests if m["kind"] == "StatefulSet"]
    for pattern, file, container_name in written.values():
        config = next((m["data"][file] for m in manifests if m["kind"] == "ConfigMap" and file in m["data"]), "")
        found = re.search(pattern, config, re.MULTILINE)
        for manifest in sets:
            claims = {claim["metadata"]["name"] for claim in manifest["spec"].get("volumeClaimTemplates", [])}
            for container in pod_of(manifest)["spec"]["containers"]:
                if container["name"] != container_name:
                    continue
                mounted = {m["mountPath"] for m in container["volumeMounts"] if m["name"] in claims}
                if found is None or found[1] not in mounted:
                    broken.append(f"{manifest['metadata']['name']}: data is written outside the volume at {mounted}")
    return broken


def the_grace_period_fits_the_drain(manifests: list[Manifest]) -> list[str]:
    """10 s until no requests arrive, 4 s for requests, 6 s for consumers, relay and bus; and the same as reserve."""
    broken = []
    for name, manifest, pod in workloads(manifests):
        if pod["metadata"]["labels"].get("app.kubernetes.io/component") != "service":
            continue
        pause = pod["spec"]["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        if pause < 5 or pod["spec"].get("terminationGracePeriodSeconds", 30) < pause + 2 * (4 + 6):
            broken.append(f"{name}: pauses {pause} s and is killed before it has drained")
        if manifest["spec"]["strategy"].get("rollingUpdate", {}).get("maxUnavailable") != 0:
            broken.append(f"{name}: a rolling update takes pods away before others are ready")
    return broken


POLICIES: list[Policy] = [
    every_long_running_container_has_its_probes,
    every_container_has_requests_and_limits,
    every_pod_meets_the_restricted_standard,
    the_namespace_enforces_the_restricted_standard,
    every_image_is_pinned,
    every_service_selects_pods_that_listen,
    every_selector_and_target_finds_its_own,
    every_route_leads_to_a_service,
    every_network_policy_matches_something,
    nothing_is_allowed_by_default,
    every_arrow_has_both_ends,
    nothing_secret_is_in_the_tree,
    only_its_signer_has_a_private_key,
    the_streams_are_on_the_volume,
    the_grace_period_fits_the_drain,
]
