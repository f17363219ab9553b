"""Limits of event streams: open streams per replica, address and user, and attempts per minute."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Final, TypeAlias

from fastapi import Depends, Request

from ticketing_common.errors import OverloadedError, TooManyRequestsError
from ticketing_common.security import User
from ticketing_common.settings import ServiceSettings

from .rate_limit import RateLimiter, address

RESERVED_SHARE: Final = 0.2
"""Share of the streams that is reserved for viewers with few streams."""
FEW: Final = 4
"""Streams of one household, or of one user's tabs."""
RETRY_AFTER_SECONDS: Final = 5
RETRY_AFTER_LIMIT_SECONDS: Final = 15
"""A page polls this often while it has no stream."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """The caller of a stream: its address, and its user if one is signed in."""

    address: str
    user_id: str | None = None
    user: User | None = None
    """The session with which the stream was opened; the stream ends with it."""


class StreamLimits:
    """Counts this replica's open streams in memory; each of N replicas allows the full number."""

    def __init__(self, settings: ServiceSettings) -> None:
        """A limit of 0 means no limit, except for `max_streams`."""
        self._max = settings.max_streams
        self._max_per_address = settings.max_streams_per_address
        self._max_per_user = settings.max_streams_per_user
        opens = settings.max_stream_opens_per_minute
        self._opens = RateLimiter(f"{opens}/minute" if opens else "off", name="streams")
        self._reserved = int(self._max * RESERVED_SHARE)
        self._by_address: Counter[str] = Counter()
        self._by_user: Counter[str] = Counter()
        self.taken = 0

    async def count_open(self, request: Request, address: str) -> None:
        """Count an attempt to open a stream; raises `TooManyRequestsError`. An order's stream costs a query."""
        await self._opens.check(request, address)

    @contextmanager
    def take(self, viewer: Viewer) -> Iterator[None]:
        """Count one open stream inside this block.

        Raises `TooManyRequestsError` if this viewer has too many streams, `OverloadedError` if the replica has.
        """
        self._check(viewer)
        self._count(viewer, 1)
        try:
            yield
        finally:
            self._count(viewer, -1)

    def _check(self, viewer: Viewer) -> None:
        of_address = self._by_address[viewer.address]
        of_user = self._by_user[viewer.user_id] if viewer.user_id is not None else None
        if 0 < self._max_per_address <= of_address:
            raise TooManyRequestsError(
                f"{of_address} event streams are open for this address.", retry_after_seconds=RETRY_AFTER_LIMIT_SECONDS
            )
        if of_user is not None and 0 < self._max_per_user <= of_user:
            raise TooManyRequestsError(
                f"{of_user} event streams are open for this account.", retry_after_seconds=RETRY_AFTER_LIMIT_SECONDS
            )
        has_few = (of_address if of_user is None else of_user) < FEW
        if self.taken >= self._max - (0 if has_few else self._reserved):
            raise OverloadedError(
                "No more event streams can be opened here now.", retry_after_seconds=RETRY_AFTER_SECONDS
            )

    def _count(self, viewer: Viewer, change: int) -> None:
        self.taken += change
        for counter, key in ((self._by_address, viewer.address), (self._by_user, viewer.user_id)):
            if key is not None:
                counter[key] += change
                if not counter[key]:
                    del counter[key]  # the memory is bounded by the open streams


async def _viewer(request: Request) -> Viewer:
    """The viewer of this request. Counts the attempt; this process's feed is at `app.state.feed`."""
    limits: StreamLimits = request.app.state.feed.limits
    where = await address(request)
    await limits.count_open(request, where)
    user: User | None = request.state.user
    return Viewer(where, user.id if user else None, user)


ViewerDep: TypeAlias = Annotated[Viewer, Depends(_viewer)]
