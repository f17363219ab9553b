"""The services of the product, and what each owns and consumes: the one list that tools, tests and pipeline read.

Standard library only: the pipeline reads it where no package is installed. What cannot be made from it (manifests,
import contracts, shell scripts) is compared with it by `infra/ci/tests/test_topology.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

TICKETS: Final = "TICKETS"
ORDERS: Final = "ORDERS"
PAYMENTS: Final = "PAYMENTS"
EXPIRATIONS: Final = "EXPIRATIONS"
USERS: Final = "USERS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service. Its name is also its folder, database, image and NATS user."""

    name: str
    outbox: str
    """The collection whose documents carry its unpublished events."""
    path: str | None
    """The segment below `/api` of its public routes; None when it has none."""
    stream: str
    """Where its outbox publishes to."""
    noun: str
    """The first word of the subjects in its stream: `ticket` of `ticket.created`."""
    consumes: tuple[str, ...] = ()
    """The streams of which it has a durable consumer."""
    tails: bool = False
    """Whether each replica also reads the service's own stream, for live updates."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The streams that each replica reads for itself: its own for live updates, and USERS to refuse ended sessions
        if it has public routes."""
        own = (self.stream,) if self.tails else ()
        return own if self.path is None else (*own, USERS)

    @property
    def package(self) -> str:
        """The Python package: `ticketing_orders`."""
        return f"ticketing_{self.name}"


SERVICES: Final[Mapping[str, Service]] = MappingProxyType(
    {
        service.name: service
        for service in (
            Service(name="auth", outbox="users", path="users", stream=USERS, noun="user", consumes=(ORDERS,)),
            Service(
                name="tickets",
                outbox="tickets",
                path="tickets",
                stream=TICKETS,
                noun="ticket",
                consumes=(ORDERS, USERS),
                tails=True,
            ),
            Service(
                name="orders",
                outbox="orders",
                path="orders",
                stream=ORDERS,
                noun="order",
                consumes=(TICKETS, PAYMENTS, EXPIRATIONS),
                tails=True,
            ),
            Service(
                name="payments",
                outbox="payments",
                path="payments",
                stream=PAYMENTS,
                noun="payment",
                consumes=(ORDERS,),
            ),
            Service(
                name="expiration",
                outbox="deadlines",
                path=None,
                stream=EXPIRATIONS,
                noun="expiration",
                consumes=(ORDERS,),
            ),
        )
    }
)
"""By name, in the order in which they start."""

PROCESSES: Final = (*SERVICES, "worker", "mail")
"""The services, expiration's worker and auth's mail worker; each worker has the image of its service."""

OWNERS: Final[Mapping[str, Service]] = MappingProxyType({service.stream: service for service in SERVICES.values()})
"""Each stream's owner: the one service that publishes to it."""

STREAM_SUBJECTS: Final[Mapping[str, str]] = MappingProxyType(
    {stream: f"{owner.noun}.>" for stream, owner in OWNERS.items()}
)
"""The subjects that each stream carries."""

DEAD_LETTERS: Final = "DEAD_LETTERS"
DEAD_LETTERS_SUBJECT: Final = "dead_letters"
ADVISORIES: Final = "ADVISORIES"

SAFETY_NETS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        DEAD_LETTERS: (f"{DEAD_LETTERS_SUBJECT}.>",),
        # What the broker itself says when it stops delivering a message; the subjects are fixed by the NATS server.
        ADVISORIES: (
            "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>",
            "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>",
        ),
    }
)
"""Streams for undeliverable messages, with their subjects. Every service declares both."""

OUTBOXES: Final = tuple((service.name, service.outbox) for service in SERVICES.values())
"""Service and collection of every outbox."""


def durable_name(service: str, stream: str) -> str:
    """The name of a service's consumer on a stream: `tickets-orders` is the position of tickets in `ORDERS`."""
    return f"{service}-{stream.lower()}"


DURABLES: Final = tuple(
    (stream, durable_name(service.name, stream)) for service in SERVICES.values() for stream in service.consumes
)
"""Stream and name of every durable consumer."""
