"""Rate limits: a moving window per caller, in this replica's memory, reported in response headers."""

import math
import time
from collections import OrderedDict, deque
from collections.abc import Hashable
from datetime import timedelta
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated, Final, NamedTuple, TypeAlias

from fastapi import Request
from limits import parse
from pydantic import AfterValidator
from starlette.types import Scope

from ticketing_common.errors import TooManyRequestsError
from ticketing_common.security import require_user

_STATE = "rate_limit"
REMEMBERED_ADDRESSES: Final = 10_000
LONGEST_ADDRESS: Final = 64
"""Characters; the longest IPv6 address has 45, and a zone may follow."""
NAT64: Final = IPv6Network("64:ff9b::/96")
"""The well-known prefix of IPv4 callers that reach an IPv6 listener (RFC 6052 §2.1)."""
UNKNOWN: Final = "unknown"
"""One bucket for all callers without a valid address; otherwise a caller could choose its bucket."""


def _check(value: str) -> str:
    if value != "off":
        parse(value)
    return value


RateLimit: TypeAlias = Annotated[str, AfterValidator(_check)]
"""A setting such as `10/minute`, or `off`."""


class Quota(NamedTuple):
    """A `RateLimit` in numbers, for limits that are counted in the database."""

    amount: int
    window: timedelta


def quota(limit: str) -> Quota | None:
    """The limit in numbers; None when it is off."""
    if limit == "off":
        return None
    item = parse(limit)
    return Quota(item.amount, timedelta(seconds=item.get_expiry()))


class Windows:
    """The moving windows of one limit, by key: `amount` calls in any `seconds`.

    Only the notation of a limit is read by the `limits` library. Its storage in memory scans all keys after every hit,
    each in a thread: with a hundred keys a hit cost 7 ms of CPU time (measured), more than a hold. Here every hit drops
    expired keys at the old end, so each key costs its share once, and the memory is bounded by the hits of one window.
    """

    def __init__(self, amount: int, seconds: int) -> None:
        self.amount = amount
        self.seconds = seconds
        self._hits: OrderedDict[Hashable, deque[float]] = OrderedDict()
        """Ordered by the last hit, and therefore by expiry."""

    def __len__(self) -> int:
        return len(self._hits)

    @staticmethod
    def now() -> float:
        """A monotonic clock: if the wall clock were set back, windows would last longer."""
        return time.monotonic()

    def hit(self, key: Hashable) -> tuple[bool, int, float]:
        """Count a hit, unless its window is full.

        Returns whether it was counted, how many more the window allows, and the seconds until its oldest hit ends.
        """
        now = self.now()
        since = now - self.seconds
        while self._hits and self._hits[next(iter(self._hits))][-1] <= since:
            self._hits.popitem(last=False)
        hits = self._hits.get(key) or deque()
        while hits and hits[0] <= since:
            hits.popleft()
        counted = len(hits) < self.amount
        if counted:
            hits.append(now)
            self._hits[key] = hits
            self._hits.move_to_end(key)
        oldest = hits[0] if hits else now  # a limit of 0 counts none
        # In this order, since `oldest + seconds - now` may exceed the window by a rounding error.
        return counted, self.amount - len(hits), self.seconds - (now - oldest)


class RateLimiter:
    """Counts calls per key, and refuses calls above the limit.

    In memory, so each of N replicas allows the full rate. It limits guessing and flooding; it does not count exactly.
    """

    def __init__(self, limit: str, *, name: str) -> None:
        rate = quota(limit)
        self._name = name
        self._windows = None if rate is None else Windows(rate.amount, int(rate.window.total_seconds()))

    async def check(self, request: Request, *keys: str) -> None:
        """Count one call, and record the limit for the response's headers.

        Raises `TooManyRequestsError` with the seconds until the next is allowed.
        """
        if self._windows is None:
            return
        allowed, remaining, seconds = self._windows.hit(keys)
        wait = max(1, math.ceil(seconds))
        policy = f'"{self._name}";q={self._windows.amount};w={self._windows.seconds}'
        left = f'"{self._name}";r={remaining};t={wait}'
        request.state.rate_limit = [*getattr(request.state, _STATE, ()), (policy, left)]
        if not allowed:
            raise TooManyRequestsError(f"Try again in {wait} s.", retry_after_seconds=wait, limit=self._name)


def rate_limit_headers(scope: Scope) -> list[tuple[bytes, bytes]]:
    """`RateLimit-Policy` and `RateLimit` with every limit that was checked (draft-ietf-httpapi-ratelimit-headers-10).

    `q` is the quota, `w` its window, `r` what remains of it and `t` the time until more is available, both in seconds.
    """
    limits: list[tuple[str, str]] = scope.get("state", {}).get(_STATE, [])
    if not limits:
        return []
    policies, left = zip(*limits, strict=True)
    return [(b"ratelimit-policy", ", ".join(policies).encode()), (b"ratelimit", ", ".join(left).encode())]


class CallerLimits:
    """Two limits with one name. The limit per address stops one person with many accounts.

    `off` for the account disables both. Both count in this replica's memory.
    """

    def __init__(self, name: str, *, account: str, address: str) -> None:
        self._account = RateLimiter(account, name=name)
        self._address = RateLimiter("off" if account == "off" else address, name=f"{name}-address")

    async def check(self, request: Request, *account: str) -> None:
        """Count one call of this account (its id, or what else names it) from the request's address.

        Raises `TooManyRequestsError`.
        """
        await self.check_address(request)
        await self._account.check(request, *account)

    async def check_user(self, request: Request) -> None:
        """Count one call of the signed-in user; raises `UnauthenticatedError` and `TooManyRequestsError`."""
        await self.check(request, require_user(request).id)

    async def check_address(self, request: Request) -> None:
        """Count one call from the request's address that names no account; raises `TooManyRequestsError`."""
        await self._address.check(request, await address(request))


async def address(request: Request) -> str:
    """The network address to count: an IPv4 address, or the /64 network of an IPv6 customer.

    Addresses that carry an IPv4 address count as that address. Behind a proxy it is the client's only if the server
    trusts the proxy (uvicorn's `--forwarded-allow-ips`).
    """
    host = request.client.host if request.client else ""
    return _customer(host) if len(host) <= LONGEST_ADDRESS else UNKNOWN


@lru_cache(maxsize=REMEMBERED_ADDRESSES)  # parsing takes 10 us, and most callers repeat
def _customer(host: str) -> str:
    try:
        parsed = ip_address(host.partition("%")[0])  # a zone has a meaning only on its own host (RFC 4007 §11)
    except ValueError:
        return UNKNOWN
    if isinstance(parsed, IPv6Address):
        carried = _carried(parsed)
        return str(carried or ip_network((int(parsed), 64), strict=False))
    return str(parsed)


def _carried(parsed: IPv6Address) -> IPv4Address | None:
    """The embedded IPv4 address: IPv4-mapped, NAT64, 6to4 or Teredo; otherwise None."""
    if parsed in NAT64:
        return IPv4Address(int(parsed) & 0xFFFF_FFFF)
    if parsed.teredo is not None:
        return parsed.teredo[1]
    return parsed.ipv4_mapped or parsed.sixtofour
