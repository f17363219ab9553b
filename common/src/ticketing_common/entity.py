"""The base of all aggregates: an id, a version that grows by one with every change, and two times."""

import math
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

ID_PATTERN: Final = r"^[0-9a-f]{24}$"


def new_id() -> str:
    """A new id of 24 hex digits: four bytes of time, so that ids sort roughly by age, and eight random bytes."""
    return f"{int(time.time()):08x}{secrets.token_hex(8)}"


def utc_now() -> datetime:
    """The current time in UTC, truncated to MongoDB's milliseconds, so that a value read equals the value written."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def seconds_until(moment: datetime) -> int:
    """Whole seconds from now until this time (UTC), at least 1: the value of a Retry-After."""
    return max(1, math.ceil((moment - utc_now()).total_seconds()))


@dataclass(kw_only=True)
class Entity:
    """The base of an aggregate.

    `version` is 0 until the first save; the repository increments it with every write, which also stores the event of
    the change.
    """

    id: str = field(default_factory=new_id)
    version: int = 0
    created_at: datetime = field(default_factory=utc_now)
    updated_at: datetime = field(default_factory=utc_now)
