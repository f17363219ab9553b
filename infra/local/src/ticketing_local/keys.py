"""Keys of the local stack: created on the first run, stored in the data directory, never in the repository."""

import base64
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)


@dataclass(frozen=True, slots=True)
class Keys:
    """The Ed25519 pair that signs and checks tokens, the key that signs passes (PEM), the key that encrypts the secrets
    of second factors (base64), and the secrets shared with the Stripe double.
    """

    jwt_private: str
    jwt_public: str
    pass_private: str
    second_factor: str
    stripe_key: str
    stripe_publishable_key: str
    stripe_webhook_secret: str

    @classmethod
    def load_or_make(cls, folder: Path) -> "Keys":
        """Read the keys, and create those that are missing; the files are readable by their owner only."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        private = _load_or_make(folder / "jwt_key.pem", _new_private_key)
        public = load_pem_private_key(private.encode(), password=None).public_key()
        return cls(
            jwt_private=private,
            jwt_public=public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
            pass_private=_load_or_make(folder / "pass_key.pem", _new_private_key),
            second_factor=_load_or_make(
                folder / "second_factor_key", lambda: base64.b64encode(secrets.token_bytes(32)).decode()
            ),
            # The double accepts any key with the right prefix.
            stripe_key=_load_or_make(folder / "stripe_key", lambda: f"sk_local_{secrets.token_hex(12)}"),
            stripe_publishable_key=_load_or_make(folder / "stripe_public", lambda: f"pk_local_{secrets.token_hex(12)}"),
            stripe_webhook_secret=_load_or_make(folder / "stripe_webhook", lambda: f"whsec_{secrets.token_hex(16)}"),
        )


def _new_private_key() -> str:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _load_or_make(file: Path, make: Callable[[], str]) -> str:
    try:
        return file.read_text()
    except FileNotFoundError:
        value = make()
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
            handle.write(value)
        return value
