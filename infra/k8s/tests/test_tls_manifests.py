"""TLS inside the cluster, as the prod overlay has it: who gets which certificate, and for which names."""

from typing import Any

from .policies import workloads

Manifests = list[dict[str, Any]]


def test_every_client_is_given_the_ca_and_every_server_a_certificate_for_its_names(production: Manifests) -> None:
    settings = next(m["data"] for m in production if m["kind"] == "ConfigMap" and "NATS_REPLICAS" in m["data"])
    issued = {m["spec"]["secretName"]: m["spec"]["dnsNames"] for m in production if "dnsNames" in m.get("spec", {})}
    clients = 0
    for name, manifest, pod in workloads(production):
        secrets = {volume["name"]: volume["secret"] for volume in pod["spec"].get("volumes", []) if "secret" in volume}
        if manifest["kind"] == "StatefulSet":
            own = manifest["metadata"]["name"]
            assert secrets["tls"]["secretName"] == f"{own}-tls"
            members = {f"{own}-{number}.{own}" for number in range(manifest["spec"]["replicas"])}
            assert (members if own != "redis" else {"redis"}) <= set(issued[f"{own}-tls"]), name
            continue
        container = pod["spec"]["containers"][0]
        text = str(pod)
        if not any(word in text for word in ("-database", "-nats'", "-redis'")):
            continue
        clients += 1
        given = {entry["name"]: entry.get("value") for entry in container.get("env", [])}
        ca_file = given.get("INTERNAL_CA_FILE") or (settings["INTERNAL_CA_FILE"] if container.get("envFrom") else "")
        mount = next(m for m in container["volumeMounts"] if ca_file and ca_file.startswith(m["mountPath"] + "/"))
        secret = secrets[mount["name"]]
        assert [item["key"] for item in secret["items"]] == ["ca.crt"], f"{name} gets more than the CA's certificate"
        assert ca_file == f"{mount['mountPath']}/ca.crt"
        assert secret["secretName"] in issued
    assert clients == 11
