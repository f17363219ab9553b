"""Images named after their content: built once for it, found again by it, deployed by digest."""

import json
import subprocess
import tempfile
from pathlib import Path

from ticketing_ci.git import content_tag, last_change
from ticketing_ci.parts import IMAGES

__all__ = ["BuildError", "build_command", "digests", "missing", "publish", "reference", "remote_digest", "try_build"]

ABSENT = ("not found", "manifest unknown", "name unknown")
SIZE = 8


class BuildError(Exception):
    """The registry or the builder refused; the message is theirs."""


def reference(registry: str, name: str) -> str:
    """Where an image is or will be: its tag is made of what goes into it."""
    return f"{registry}/{name}:{content_tag(IMAGES[name].inputs)}"


def build_command(name: str, *, revision: str, tag: str, metadata: Path | None = None) -> list[str]:
    """The builder's command line; with `metadata`, the image goes to the registry and its digest into that file."""
    image = IMAGES[name]
    command = ["docker", "buildx", "build", "--file", image.dockerfile, "--tag", tag]
    command += ["--build-arg", f"REVISION={revision}", "--label", f"org.opencontainers.image.revision={revision}"]
    if metadata is None:
        return [*command, image.context]
    # The builder's own attestations are off: they would turn the digest into an index's, and provenance and the bill
    # of materials are attested by the workflow, signed.
    return [*command, "--provenance=false", "--push", "--metadata-file", str(metadata), image.context]


def remote_digest(target: str) -> str | None:
    """The digest that the registry has for it, None if there is none; raises `BuildError` when that is not known."""
    command = ["docker", "buildx", "imagetools", "inspect", "--format", "{{json .Manifest.Digest}}", target]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode == 0:
        return str(json.loads(found.stdout))
    if any(text in found.stderr.lower() for text in ABSENT):
        return None
    raise BuildError(found.stderr.strip())


def missing(registry: str) -> list[str]:
    """The images that the registry does not have for the present content."""
    return [name for name in IMAGES if remote_digest(reference(registry, name)) is None]


def digests(registry: str) -> dict[str, str]:
    """Every image's `name@sha256:…`; raises `BuildError` when one was not built."""
    found = {name: remote_digest(reference(registry, name)) for name in IMAGES}
    if absent := sorted(name for name, digest in found.items() if digest is None):
        raise BuildError(f"not in the registry, build them first: {', '.join(absent)}")
    return {name: f"{registry}/{name}@{digest}" for name, digest in found.items()}


def try_build(name: str) -> None:
    """Build it and keep it here; raises `subprocess.CalledProcessError`."""
    revision = last_change(IMAGES[name].inputs)
    subprocess.run(build_command(name, revision=revision, tag=f"ticketing/{name}:{revision[:SIZE]}"), check=True)


def publish(registry: str, name: str) -> str:
    """Build and push it, and return `sha256:…`; raises `subprocess.CalledProcessError`."""
    revision = last_change(IMAGES[name].inputs)
    with tempfile.TemporaryDirectory() as folder:
        metadata = Path(folder) / "metadata.json"
        tag = reference(registry, name)
        subprocess.run(build_command(name, revision=revision, tag=tag, metadata=metadata), check=True)
        return str(json.loads(metadata.read_text())["containerimage.digest"])
