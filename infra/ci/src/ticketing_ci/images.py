"""Images tagged by their content: built once per content, found by it, deployed by digest."""

import json
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ticketing_ci.git import content_tag, last_change
from ticketing_ci.parts import IMAGES

ABSENT = ("not found", "manifest unknown", "name unknown")


class BuildError(RuntimeError):
    """The registry or the builder failed, with its message."""


def reference(registry: str, name: str) -> str:
    """The reference of an image, whose tag is a digest of its inputs."""
    return f"{registry}/{name}:{content_tag(IMAGES[name].inputs)}"


def build_command(name: str, *, revision: str, target: str, metadata: Path | None = None) -> list[str]:
    """The builder's command line; with `metadata`, it pushes the image and writes its digest into that file."""
    image = IMAGES[name]
    command = ["docker", "buildx", "build", "--file", image.dockerfile, "--build-arg", f"REVISION={revision}"]
    if metadata is None:
        return [*command, "--tag", target, image.context]
    # No tag yet: an image is found by its tag, so it gets one only after it is signed. The builder's own attestations
    # are off: with them the digest is that of an index, and the workflow makes the same attestations, signed.
    output = f"type=image,name={target},push-by-digest=true,name-canonical=true,push=true"
    return [*command, "--provenance=false", "--output", output, "--metadata-file", str(metadata), image.context]


def remote_digest(target: str) -> str | None:
    """The digest in the registry, None if there is none; raises `BuildError` when that is unknown."""
    command = ["docker", "buildx", "imagetools", "inspect", "--format", "{{json .Manifest.Digest}}", target]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode == 0:
        return str(json.loads(found.stdout))
    if any(text in found.stderr.lower() for text in ABSENT):
        return None
    raise BuildError(found.stderr.strip())


def missing(registry: str) -> list[str]:
    """The images that are not in the registry for the present content."""
    return [name for name in IMAGES if remote_digest(reference(registry, name)) is None]


def digests(registry: str) -> dict[str, str]:
    """Every image's `name@sha256:…`; raises `BuildError` when one was not built."""
    found = {name: remote_digest(reference(registry, name)) for name in IMAGES}
    if absent := sorted(name for name, digest in found.items() if digest is None):
        raise BuildError(f"not in the registry, build them first: {', '.join(absent)}")
    return {name: f"{registry}/{name}@{digest}" for name, digest in found.items()}


def try_build(name: str) -> None:
    """Build an image without a push; raises `subprocess.CalledProcessError`."""
    revision = last_change(IMAGES[name].inputs)
    subprocess.run(build_command(name, revision=revision, target=f"ticketing/{name}:{revision[:8]}"), check=True)


def push(registry: str, name: str) -> str:
    """Build an image, push it without a tag, and return `sha256:…`; raises `subprocess.CalledProcessError`."""
    revision = last_change(IMAGES[name].inputs)
    with tempfile.TemporaryDirectory() as folder:
        metadata = Path(folder) / "metadata.json"
        command = build_command(name, revision=revision, target=f"{registry}/{name}", metadata=metadata)
        subprocess.run(command, check=True)
        return str(json.loads(metadata.read_text())["containerimage.digest"])


def tag(registry: str, name: str, digest: str) -> None:
    """Tag an image with its content; raises `subprocess.CalledProcessError`."""
    # Without the option buildx wraps the image into an index, whose digest differs from the signed one.
    command = ["docker", "buildx", "imagetools", "create", "--prefer-index=false", "--tag", reference(registry, name)]
    subprocess.run([*command, f"{registry}/{name}@{digest}"], check=True)


def verify(targets: Iterable[str], signer: str) -> None:
    """Refuse an image that `signer` (a workflow's address) did not sign; raises `subprocess.CalledProcessError`."""
    issuer = "https://token.actions.githubusercontent.com"
    for target in targets:
        identity = ["--certificate-identity-regexp", signer, "--certificate-oidc-issuer", issuer]
        subprocess.run(
            ["cosign", "verify", "--output", "text", *identity, target], check=True, stdout=subprocess.DEVNULL
        )
