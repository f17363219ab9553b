"""The addresses of the databases, the bus and Stripe for an audit."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from ticketing_common.topology import SERVICES
from ticketing_ops.data_dir import DataDir, StackState

STRIPE_URL: Final = "https://api.stripe.com"


class MissingAddressError(Exception):
    """The environment names some of the parts, but not all; the message names the missing ones."""


@dataclass(frozen=True)
class AuditAddresses:
    """The five databases, the bus and Stripe. `databases` has the names that differ from the service's name."""

    mongo_urls: Mapping[str, str] = field(repr=False)
    databases: Mapping[str, str]
    nats_url: str = field(repr=False)
    stripe_url: str
    stripe_key: str = field(repr=False)
    ca_file: str = ""
    """PEM file of the CA that MongoDB and NATS are verified with; empty: as their addresses say."""

    def database(self, service: str) -> str:
        """The name of a service's database."""
        return self.databases.get(service, service)

    @classmethod
    def of_stack(cls, state: StackState, data: DataDir) -> Self:
        """The addresses of a stack on this machine; one MongoDB has all five databases."""
        return cls(
            mongo_urls=dict.fromkeys(SERVICES, state.addresses["mongo"]),
            databases={},
            nats_url=state.addresses["nats"],
            stripe_url=state.addresses["stripe"],
            # The key that the stack gives to payments: from the environment, or generated.
            stripe_key=os.environ.get("STRIPE_KEY") or (data.keys / "stripe_key").read_text(),
        )

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> Self | None:
        """The addresses of `<SERVICE>_MONGO_URL` (five), `NATS_URL`, `STRIPE_KEY`; None when no database is named.

        `<SERVICE>_MONGO_DATABASE`, `STRIPE_API_BASE` and `INTERNAL_CA_FILE` may be left out. Raises
        `MissingAddressError`.
        """
        urls = {service: environment.get(f"{service.upper()}_MONGO_URL", "") for service in SERVICES}
        if not any(urls.values()):
            return None
        needed = {
            **{f"{service.upper()}_MONGO_URL": url for service, url in urls.items()},
            **{name: environment.get(name, "") for name in ("NATS_URL", "STRIPE_KEY")},
        }
        missing = [name for name, value in needed.items() if not value]
        if missing:
            raise MissingAddressError(f"The environment names databases, but not {', '.join(missing)}.")
        names = {service: environment.get(f"{service.upper()}_MONGO_DATABASE", "") for service in SERVICES}
        return cls(
            mongo_urls=urls,
            databases={service: name for service, name in names.items() if name},
            nats_url=needed["NATS_URL"],
            stripe_url=environment.get("STRIPE_API_BASE") or STRIPE_URL,
            stripe_key=needed["STRIPE_KEY"],
            ca_file=environment.get("INTERNAL_CA_FILE", ""),
        )
