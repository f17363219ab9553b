"""What every aggregate has: an id, a version that grows by one with every change, and two times."""

import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

__all__ = ["ID_PATTERN", "Entity", "new_id", "utc_now"]

ID_PATTERN: Final = r"^[0-9a-f]{24}$"


def new_id() -> str:
    """A new 24-hex-digit id: four bytes of time, so that ids sort roughly by age, and eight of chance."""
    return f"{int(time.time()):08x}{secrets.token_hex(8)}"


def utc_now() -> datetime:
    """The present in UTC, to the millisecond: what MongoDB stores, so a value read back equals the one written."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


@dataclass(kw_only=True)
class Entity:
    """The base of an aggregate.

    `version` is 0 until the first save; the repository raises it with every write, together with the event that tells
    of the change.
    """

    id: str = field(default_factory=new_id)
    version: int = 0
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = field(default_factory=utc_now)
