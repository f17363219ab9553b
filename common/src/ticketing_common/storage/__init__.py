"""MongoDB: one document per aggregate with its outbox, and the projections of other services' aggregates."""

from .batches import batched, batched_insert, batched_lists, batched_write
from .idempotency_keys import Claim, IdempotencyKeys, StoredResponse
from .lease import Lease
from .mongo import (
    ASCENDING,
    DESCENDING,
    Collection,
    Database,
    DatabaseClient,
    DatabaseError,
    DatabaseUnavailableError,
    Document,
    DuplicateKeyError,
    Index,
    ReturnDocument,
    UpdateOne,
    aggregate,
    connect,
    disconnect,
    ensure_indexes,
    reading,
    upsert_each,
)
from .outbox import WITHOUT_EVENTS, Commit, Outbox, OutboxEntry, OutboxStats
from .projection import Projection
from .repository import Repository

__all__ = [
    "ASCENDING",
    "DESCENDING",
    "WITHOUT_EVENTS",
    "Claim",
    "Collection",
    "Commit",
    "Database",
    "DatabaseClient",
    "DatabaseError",
    "DatabaseUnavailableError",
    "Document",
    "DuplicateKeyError",
    "IdempotencyKeys",
    "Index",
    "Lease",
    "Outbox",
    "OutboxEntry",
    "OutboxStats",
    "Projection",
    "Repository",
    "ReturnDocument",
    "StoredResponse",
    "UpdateOne",
    "aggregate",
    "batched",
    "batched_insert",
    "batched_lists",
    "batched_write",
    "connect",
    "disconnect",
    "ensure_indexes",
    "reading",
    "upsert_each",
]
