"""Certificates as cert-manager makes them from the Certificate objects of an overlay, of a CA made for the test."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["Authority", "Certificates"]

USAGES = {"server auth": ExtendedKeyUsageOID.SERVER_AUTH, "client auth": ExtendedKeyUsageOID.CLIENT_AUTH}


def _builder(subject: str, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
    )


class Authority:
    """A CA, and the Secrets that it fills."""

    def __init__(self, name: str = "test CA") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._certificate = (
            _builder(name, self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        """Its certificate."""
        return self._certificate.public_bytes(Encoding.PEM)

    def fill(self, folder: Path, certificate: dict[str, Any]) -> None:
        """Write the keys of the Secret of `certificate`, as a pod sees them when it mounts the Secret on `folder`."""
        spec = certificate["spec"]
        key = ec.generate_private_key(ec.SECP256R1())
        made = (
            _builder(spec["dnsNames"][0], self._name, key.public_key())
            .add_extension(
                x509.SubjectAlternativeName([x509.DNSName(name) for name in spec["dnsNames"]]), critical=False
            )
            .add_extension(x509.ExtendedKeyUsage([USAGES[usage] for usage in spec["usages"]]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        chain = made.public_bytes(Encoding.PEM)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        folder.mkdir(exist_ok=True)
        for name, text in (("tls.key", private), ("ca.crt", self.pem), ("tls.crt", chain)):
            (folder / name).write_bytes(text)
        if {"type": "CombinedPEM"} in spec.get("additionalOutputFormats", []):
            (folder / "tls-combined.pem").write_bytes(private + chain)


class Certificates:
    """The Secret of one server, and CA files for its clients."""

    def __init__(self, production: list[dict[str, Any]], folder: Path, secret: str) -> None:
        self.folder = folder / "tls"
        self._made_for = next(m for m in production if m["kind"] == "Certificate" and m["spec"]["secretName"] == secret)
        self.authority, self.other = Authority(), Authority("another CA")
        for name, authority in (("trusted", self.authority), ("wrong", self.other)):
            (folder / f"{name}.crt").write_bytes(authority.pem)
        self.trusted, self.wrong = str(folder / "trusted.crt"), str(folder / "wrong.crt")
        self.authority.fill(self.folder, self._made_for)

    def renew(self) -> None:
        """Replace the certificate by one of the other CA, so that a client can tell which one it gets."""
        self.other.fill(self.folder, self._made_for)
