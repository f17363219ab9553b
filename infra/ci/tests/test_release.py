"""A release that stands, and releases that do not, on a cluster made of a list."""

import base64
import gzip
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from ticketing_ci.cluster import Cluster, ClusterError, Manifest
from ticketing_ci.release import RECORD, ReleaseError, overlay, release, running_images
from ticketing_ci.smoke import demo_job, play_demo, read_pages

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
DIGEST = "sha256:" + "a" * 64


class OnPaper(Cluster):
    """Remembers what was asked of it, and refuses to roll out texts with a certain word."""

    def __init__(self, bad: str = "broken", objects: Mapping[tuple[str, str], Manifest] | None = None) -> None:
        self.bad, self.objects = bad, dict(objects or {})
        self.applied: list[str] = []
        self.waited: list[str] = []
        self.restarted: list[str] = []
        self.stored: list[Manifest] = []
        self.removed: list[str] = []

    def apply(self, text: str) -> None:
        self.applied.append(text)

    def store(self, manifest: Mapping[str, Any]) -> None:
        self.stored.append(dict(manifest))
        self.objects[(manifest["kind"].lower(), manifest["metadata"]["name"])] = dict(manifest)

    def get(self, kind: str, name: str) -> Manifest | None:
        return self.objects.get((kind, name))

    def list(self, kind: str) -> Sequence[Manifest]:
        return [found for (of_kind, _), found in self.objects.items() if f"{of_kind}s" == kind]

    def wait(self, target: str, seconds: int) -> None:
        self.waited.append(target)
        if self.bad in self.applied[-1]:
            raise ClusterError(f"{target} waits in vain")

    def restart(self, deployment: str) -> None:
        self.restarted.append(deployment)

    def delete(self, kind: str, name: str) -> None:
        pass

    def remove(self, manifests: Sequence[Manifest]) -> None:
        if self.bad == "removing":
            raise ClusterError("delete: refused")
        self.removed += [
            f"{manifest['apiVersion']} {manifest['kind']} {manifest['metadata']['name']}" for manifest in manifests
        ]

    def logs(self, target: str) -> str:
        return f"log of {target}"


def _object(kind: str, mark: str, api: str = "v1", **metadata: str) -> Manifest:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": f"{kind.lower()}-1", "mark": mark, **metadata}}


def _text(mark: str, *more: Manifest) -> str:
    kinds = ("ConfigMap", "StatefulSet", "Deployment")
    return str(yaml.safe_dump_all([*(_object(kind, mark) for kind in kinds), *more]))


def _silent(_: str) -> None:
    pass


def _standing(mark: str, *more: Manifest) -> OnPaper:
    cluster = OnPaper()
    release(cluster, _text(mark, *more), mark, smoke=lambda: None, say=_silent)
    return cluster


def _fails() -> None:
    raise ClusterError("the demo failed")


def _surprises() -> None:
    raise ConnectionResetError


def test_a_release_is_rolled_out_tried_and_remembered_in_this_order() -> None:
    cluster = OnPaper()
    seen: list[tuple[int, int]] = []

    release(
        cluster, _text("one"), "v1", smoke=lambda: seen.append((len(cluster.waited), len(cluster.stored))), say=_silent
    )

    assert cluster.waited == ["statefulset/statefulset-1", "deployment/deployment-1"]
    assert seen == [(2, 0)]
    record = cluster.objects[("configmap", RECORD)]
    assert record["data"] == {"revision": "v1"}
    assert gzip.decompress(base64.b64decode(record["binaryData"]["manifests.yaml.gz"])).decode() == _text("one")


@pytest.mark.parametrize(("mark", "smoke"), [("broken", lambda: None), ("two", _fails), ("two", _surprises)])
def test_what_fails_to_roll_out_or_to_pass_is_taken_back(mark: str, smoke: Callable[[], None]) -> None:
    cluster = _standing("one")

    with pytest.raises(ReleaseError, match="one is back"):
        release(cluster, _text(mark), "v2", smoke=smoke, say=_silent)

    assert cluster.applied == [_text("one"), _text(mark), _text("one")]
    assert cluster.objects[("configmap", RECORD)]["data"]["revision"] == "one"


def test_a_first_release_that_fails_reports_that_there_is_no_earlier_one() -> None:
    cluster = OnPaper()

    with pytest.raises(ReleaseError, match="no earlier release"):
        release(cluster, _text("one"), "v1", smoke=_fails, say=_silent)

    assert cluster.stored == []


def test_a_rollback_that_fails_too_is_reported() -> None:
    cluster = _standing("one")
    cluster.bad = "mark"

    with pytest.raises(ReleaseError, match="so did going back to one"):
        release(cluster, _text("two"), "v2", smoke=lambda: None, say=_silent)


LEFT = (
    _object("CronJob", "left", "batch/v1", name="old-job"),
    _object("ConfigMap", "left", namespace="monitoring", name="rules"),
    _object("PersistentVolumeClaim", "left", name="backups"),
    _object("Namespace", "left", name="ticketing"),
)


def test_what_left_the_overlay_is_removed_once_the_release_stands_and_data_is_kept() -> None:
    cluster = _standing("one", *LEFT)
    removed_before_smoke: list[int] = []

    release(cluster, _text("two"), "v2", smoke=lambda: removed_before_smoke.append(len(cluster.removed)), say=_silent)

    assert removed_before_smoke == [0]
    assert cluster.removed == ["batch/v1 CronJob old-job", "v1 ConfigMap rules"]


def test_an_object_that_moves_to_another_version_of_its_api_is_kept() -> None:
    cluster = _standing("one", _object("HTTPRoute", "one", "gateway.networking.k8s.io/v1beta1"))

    release(
        cluster, _text("two", _object("HTTPRoute", "two", "gateway.networking.k8s.io/v1")), "v2", lambda: None, _silent
    )

    assert cluster.removed == []


def test_a_rollback_removes_what_the_failed_release_added_and_keeps_the_rest() -> None:
    cluster = _standing("one", LEFT[1])

    with pytest.raises(ReleaseError, match="one is back"):
        release(cluster, _text("two", LEFT[0]), "v2", smoke=_fails, say=_silent)

    assert cluster.removed == ["batch/v1 CronJob old-job"]


def test_a_removal_that_fails_is_reported_and_retried_by_the_next_release() -> None:
    cluster = _standing("one", LEFT[0])
    cluster.bad = "removing"
    with pytest.raises(ReleaseError, match="release it again"):
        release(cluster, _text("two"), "v2", smoke=lambda: None, say=_silent)
    assert cluster.objects[("configmap", RECORD)]["data"]["revision"] == "one"

    cluster.bad = "broken"
    release(cluster, _text("two"), "v2", smoke=lambda: None, say=_silent)

    assert cluster.removed == ["batch/v1 CronJob old-job"]
    assert cluster.objects[("configmap", RECORD)]["data"]["revision"] == "v2"


def test_the_overlay_names_every_image_by_its_digest() -> None:
    found = yaml.safe_load(overlay("../../k8s-dev", {"orders": f"r.example/p/orders@{DIGEST}"}))

    assert found["resources"] == ["../../k8s-dev"]
    assert found["images"] == [{"name": "ticketing/orders", "newName": "r.example/p/orders", "digest": DIGEST}]


def _deployment(name: str, image: str, **spec: Any) -> Manifest:
    containers = [{"name": name, "image": image, **spec}]
    return {"metadata": {"name": name}, "spec": {"template": {"spec": {"containers": containers}}}}


def test_what_runs_is_found_by_digest_and_nothing_else_is_taken() -> None:
    orders = f"r.example/p/orders@{DIGEST}"
    objects = {
        ("deployment", "orders"): _deployment("orders", orders),
        ("deployment", "other"): _deployment("other", f"r.example/p/other@{DIGEST}"),
        ("deployment", "auth"): _deployment("auth", "r.example/p/auth:latest"),
    }

    assert running_images(OnPaper(objects=objects), ("orders",)) == {"orders": orders}
    with pytest.raises(ReleaseError, match="auth"):
        running_images(OnPaper(objects=objects), ("orders", "auth"))


def test_the_demo_is_the_one_that_skaffold_plays() -> None:
    container = demo_job(ROOT, f"r.example/p/tools@{DIGEST}")["spec"]["template"]["spec"]["containers"][0]

    assert container["image"] == f"r.example/p/tools@{DIGEST}"
    assert container["command"] == ["python3", "-m", "ticketing_ops"]
    assert container["args"][0] == "demo"


@pytest.mark.parametrize(("status", "refused"), [({"succeeded": 1}, False), ({"failed": 1}, True), ({}, True)])
def test_the_demo_is_waited_for_and_its_log_is_shown(status: dict[str, int], refused: bool) -> None:
    cluster = OnPaper(objects={("job", "demo"): {"status": status}})
    printed: list[str] = []

    def play() -> None:
        play_demo(cluster, {"metadata": {"name": "demo"}}, sleep=lambda _: None, say=printed.append)

    if refused:
        with pytest.raises(ClusterError, match="demo"):
            play()
    else:
        play()
    assert printed == (["log of job/demo"] if status else [])


def test_only_an_address_of_the_web_is_read() -> None:
    with pytest.raises(ClusterError, match="not an address"):
        read_pages("file:///etc", attempts=1)
