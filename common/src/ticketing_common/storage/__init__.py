"""MongoDB: one document per aggregate, its events beside it, and the projections of other services' aggregates."""

from .lease import Lease
from .mongo import (
    ASCENDING,
    DESCENDING,
    Collection,
    Database,
    DatabaseClient,
    DatabaseUnavailableError,
    Document,
    DuplicateKeyError,
    Index,
    connect,
    ensure_indexes,
)
from .outbox import Commit, Outbox, OutboxEntry, OutboxStats
from .projection import Projection
from .repository import Repository

__all__ = [
    "ASCENDING",
    "DESCENDING",
    "Collection",
    "Commit",
    "Database",
    "DatabaseClient",
    "DatabaseUnavailableError",
    "Document",
    "DuplicateKeyError",
    "Index",
    "Lease",
    "Outbox",
    "OutboxEntry",
    "OutboxStats",
    "Projection",
    "Repository",
    "connect",
    "ensure_indexes",
]
