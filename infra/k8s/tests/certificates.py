"""The Secrets of an overlay's Certificate objects, filled by a CA made for the test."""

from pathlib import Path
from typing import Any

from ticketing_testkit.authority import Authority

__all__ = ["Certificates"]


class Certificates:
    """The Secret of one server, and CA files for its clients."""

    def __init__(self, production: list[dict[str, Any]], folder: Path, secret: str) -> None:
        self.folder = folder / "tls"
        self._spec = next(
            m["spec"] for m in production if m["kind"] == "Certificate" and m["spec"]["secretName"] == secret
        )
        self.authority, self.other = Authority(), Authority("another CA")
        for name, authority in (("trusted", self.authority), ("wrong", self.other)):
            (folder / f"{name}.crt").write_bytes(authority.pem)
        self.trusted, self.wrong = str(folder / "trusted.crt"), str(folder / "wrong.crt")
        self._fill(self.authority)

    def renew(self) -> None:
        """Replace the certificate by one of the other CA, so that a client can tell which one it gets."""
        self._fill(self.other)

    def _fill(self, authority: Authority) -> None:
        combined = {"type": "CombinedPEM"} in self._spec.get("additionalOutputFormats", [])
        authority.fill(self.folder, self._spec["dnsNames"], usages=self._spec["usages"], combined=combined)
