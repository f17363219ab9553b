"""The admission policies: which images a pod of the prod overlay may run, and who must have built them."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from .manifests import containers, named

Manifests = list[dict[str, Any]]

ROOT = Path(__file__).resolve().parents[3]
REGISTRY = "registry.example.com/project/images"


@pytest.fixture
def policies() -> Manifests:
    """As an operator applies them."""
    text = (ROOT / "infra/k8s/controllers/signed-images.yaml").read_text()
    return list(yaml.safe_load_all(text.replace("REGISTRY", REGISTRY)))


def _reference(image: str) -> str:
    """The complete name that the controller compares; own images are deployed from the registry."""
    if image.startswith("ticketing/"):
        return image.replace("ticketing", REGISTRY, 1)
    return f"index.docker.io/{image}" if "/" in image else f"index.docker.io/library/{image}"


def _admitting(policies: Manifests, image: str) -> list[str]:
    return [
        policy["metadata"]["name"]
        for policy in policies
        if any(_matches(pattern["glob"], _reference(image)) for pattern in policy["spec"]["images"])
    ]


def _matches(glob: str, reference: str) -> bool:
    """https://pkg.go.dev/github.com/sigstore/policy-controller/pkg/apis/glob: only `**` matches a slash."""
    pattern = re.escape(glob).replace(r"\*\*", ".*").replace(r"\*", "[^/]*")
    return re.fullmatch(pattern, reference) is not None


def test_only_the_namespace_of_production_is_checked(manifests: Manifests, overlay: str) -> None:
    labels = named(manifests, "Namespace")["ticketing"]["metadata"]["labels"]
    assert labels.get("policy.sigstore.dev/include") == ("true" if overlay == "k8s-prod" else None)


def test_each_image_of_production_has_one_policy_and_own_images_need_their_origin(
    production: Manifests, policies: Manifests
) -> None:
    images = {container["image"] for _, container, _ in containers(production)}
    assert len(images) > 8
    for image in images:
        own = image.startswith("ticketing/")
        assert _admitting(policies, image) == ["ticketing-own-images" if own else "ticketing-other-images"], image
    for other in ("busybox:1.37.0", "another/mongo:8.0.29", "mongo/evil:1.0.0"):
        assert _admitting(policies, other) == []


def test_own_images_are_built_by_the_workflow_that_a_deployment_asks_for(policies: Manifests) -> None:
    (own,) = (policy["spec"] for policy in policies if policy["metadata"]["name"] == "ticketing-own-images")
    (authority,) = own["authorities"]
    assert authority.keys() == {"name", "signatureFormat", "keyless", "ctlog", "attestations"}
    (identity,) = authority["keyless"]["identities"]
    assert identity["issuer"] == "https://token.actions.githubusercontent.com"
    workflow = (ROOT / ".github/workflows/deploy.yml").read_text()
    asked = re.search(r"VERIFY_AS: (\S.*)$", workflow, re.MULTILINE)
    assert asked
    assert identity["subjectRegExp"] == asked[1].replace("${{ github.repository }}", "OWNER/REPOSITORY")
    built = yaml.safe_load((ROOT / ".github/workflows/images.yml").read_text())["jobs"]["build"]["steps"]
    attests = [step["with"] for step in built if step.get("uses", "").startswith("actions/attest@")]
    assert any(step["push-to-registry"] and "sbom-path" not in step for step in attests), "the provenance"
    assert [one["predicateType"] for one in authority["attestations"]] == ["https://slsa.dev/provenance/v1"]
