"""Renders overlays with Kustomize, as `kubectl apply -k` does."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

__all__ = ["render"]

FROM_SOURCE: Final = "sigs.k8s.io/kustomize/kustomize/v5@v5.7.1"
"""Go's checksum database verifies it; the first run takes half a minute to build."""
PROGRAMS: Final = {
    "kustomize": ["kustomize", "build"],
    "kubectl": ["kubectl", "kustomize"],
    "go": ["go", "run", FROM_SOURCE, "build"],
}


def render(folder: Path) -> list[dict[str, Any]]:
    """Every object of an overlay; raises `subprocess.CalledProcessError`. Skips the test without a program for it."""
    command = next((command for program, command in PROGRAMS.items() if shutil.which(program)), None)
    if command is None:
        missing = f"needs one of {', '.join(PROGRAMS)} to render overlays"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    output = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=True).stdout
    return [manifest for manifest in yaml.safe_load_all(output) if manifest]
