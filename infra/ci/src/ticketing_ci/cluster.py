"""The operations on a cluster, implemented with kubectl."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

NAMESPACE = "ticketing"
Manifest = dict[str, Any]


class ClusterError(RuntimeError):
    """kubectl failed or timed out; the message is that of kubectl."""


class Cluster:
    """The cluster of kubectl's current context. Content goes through standard input, where no process list shows it."""

    def _run(self, *arguments: str, stdin: str | None = None) -> str:
        command = ["kubectl", "--namespace", NAMESPACE, *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ClusterError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def apply(self, text: str) -> None:
        """Apply manifests; raises `ClusterError`."""
        self._run("apply", "--filename", "-", stdin=text)

    def store(self, manifest: Mapping[str, Any]) -> None:
        """Write one object without a copy in an annotation; raises `ClusterError`."""
        options = ("--server-side", "--force-conflicts", "--field-manager=ticketing-pipeline")
        self._run("apply", *options, "--filename", "-", stdin=json.dumps(manifest))

    def get(self, kind: str, name: str) -> Manifest | None:
        """One object, or None."""
        found = self._run("get", kind, name, "--ignore-not-found", "--output", "json")
        return json.loads(found) if found.strip() else None

    def list(self, kind: str) -> Sequence[Manifest]:
        """All objects of a kind in the namespace."""
        return list(json.loads(self._run("get", kind, "--output", "json"))["items"])

    def wait(self, target: str, seconds: int) -> None:
        """Wait until it is rolled out; raises `ClusterError`."""
        self._run("rollout", "status", target, f"--timeout={seconds}s")

    def restart(self, deployment: str) -> None:
        """Replace its pods by a rolling restart."""
        self._run("rollout", "restart", f"deployment/{deployment}")

    def delete(self, kind: str, name: str) -> None:
        """Delete an object and wait for its end; no error if it does not exist."""
        self._run("delete", kind, name, "--ignore-not-found", "--wait")

    def remove(self, manifests: Sequence[Manifest]) -> None:
        """Delete these objects and wait for their end; missing ones are ignored. Raises `ClusterError`."""
        named = [
            {
                "apiVersion": manifest["apiVersion"],
                "kind": manifest["kind"],
                "metadata": {
                    key: manifest["metadata"][key] for key in ("name", "namespace") if key in manifest["metadata"]
                },
            }
            for manifest in manifests
        ]
        listed = {"apiVersion": "v1", "kind": "List", "items": named}
        self._run("delete", "--ignore-not-found", "--wait", "--filename", "-", stdin=json.dumps(listed))

    def logs(self, target: str) -> str:
        """The log of a target."""
        return self._run("logs", target, "--tail=-1")
