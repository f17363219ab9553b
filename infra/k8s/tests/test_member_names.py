"""Each MongoDB member finds itself under its name without DNS, so it is primary at its first start."""

import os
import subprocess
from pathlib import Path
from typing import Any

POD_IP = "10.244.3.9"


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["name"] == name)


def test_the_hosts_file_of_a_member_leads_its_name_in_the_replica_set_to_its_own_pod(
    manifests: list[dict[str, Any]], tmp_path: Path
) -> None:
    databases = [
        m for m in manifests if m["metadata"].get("labels", {}).get("app.kubernetes.io/component") == "database"
    ]
    members = [m for m in databases if m["kind"] == "StatefulSet"]
    assert len(members) == 5
    for member in members:
        name, pod = member["metadata"]["name"], member["spec"]["template"]["spec"]
        for folder in ("credentials", "keys", "hosts"):
            (tmp_path / name / folder).mkdir(parents=True)
        (tmp_path / name / "credentials" / "keyfile").write_text("key")
        *shell, script = _named(pod["initContainers"], "prepare")["command"]
        for folder in ("/credentials", "/keys", "/hosts"):
            script = script.replace(f" {folder}/", f" {tmp_path}/{name}{folder}/")
        environment = {**os.environ, "NAME": name, "POD_NAME": f"{name}-0", "POD_IP": POD_IP}
        subprocess.run([*shell, script], env=environment, check=True)

        hosts = (tmp_path / name / "hosts" / "hosts").read_text().splitlines()
        loop = _named(pod["containers"], "replica-set")
        address = _named(loop["env"], "MEMBER_ADDRESS")["value"].replace("$(NAME)", name).replace("#", "0")
        assert address.removesuffix(":27017") in next(line for line in hosts if line.startswith(POD_IP)).split()
        assert "localhost" in hosts[0].split()
        for container in pod["containers"]:
            mount = next(mount for mount in container["volumeMounts"] if mount["mountPath"] == "/etc/hosts")
            assert (mount["name"], mount["subPath"]) == ("hosts", "hosts")
        assert (tmp_path / name / "keys" / "keyfile").stat().st_mode & 0o777 == 0o400
