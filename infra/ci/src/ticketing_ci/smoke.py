"""The smoke test of a release: the demo where payments are not real, otherwise the public pages."""

import time
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any

import yaml

from ticketing_ci.cluster import Cluster, ClusterError

DEADLINE_SECONDS = 330
PAGES = (
    "/",
    "/api/tickets?limit=1",
    "/api/users/currentuser",
    "/api/orders/openapi.json",
    "/api/payments/openapi.json",
)
"""One page of the client and one GET of each public service."""


def demo_job(root: Path, image: str) -> dict[str, Any]:
    """The Job that `skaffold verify` runs, from the same two files, with this image."""
    job: dict[str, Any] = yaml.safe_load((root / "infra/k8s-dev/verify.yaml").read_text())
    defined = yaml.safe_load((root / "skaffold.yaml").read_text())["verify"][0]["container"]
    container = job["spec"]["template"]["spec"]["containers"][0]
    container.update(image=image, command=defined["command"], args=defined["args"])
    return job


def play_demo(
    cluster: Cluster,
    job: dict[str, Any],
    sleep: Callable[[float], None] = time.sleep,
    say: Callable[[str], None] = print,
) -> None:
    """Run the demo inside the cluster; raises `ClusterError` when it fails or does not end in time."""
    name = str(job["metadata"]["name"])
    cluster.delete("job", name)
    cluster.apply(yaml.safe_dump(job))
    for _ in range(DEADLINE_SECONDS // 2):
        status = (cluster.get("job", name) or {}).get("status", {})
        if status.get("succeeded") or status.get("failed"):
            # A pod that never started has no log, and that error must not replace this one.
            try:
                say(cluster.logs(f"job/{name}"))
            except ClusterError as unread:
                say(str(unread))
            if status.get("succeeded"):
                return
            raise ClusterError("the demo failed")
        sleep(2)
    raise ClusterError(f"the demo did not end within {DEADLINE_SECONDS} s")


def read_pages(address: str, attempts: int = 5, sleep: Callable[[float], None] = time.sleep) -> None:
    """Request each page from outside, through DNS, certificate and gateway; raises `ClusterError`."""
    for page in PAGES:
        for attempt in range(1, attempts + 1):
            problem = _problem(f"{address.rstrip('/')}{page}")
            if problem is None:
                break
            if attempt == attempts:
                raise ClusterError(f"{page}: {problem}")
            sleep(attempt)


def _problem(url: str) -> str | None:
    if not url.startswith(("https://", "http://")):
        return "not an address"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  # the scheme was checked above
            return None if answer.status == 200 else f"answered {answer.status}"
    except (OSError, HTTPException) as failure:  # urllib wraps only some connection errors
        return str(failure) or type(failure).__name__
