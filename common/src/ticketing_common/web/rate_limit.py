"""Rate limits: a moving window per caller, in this replica's memory, reported in response headers."""

import math
from datetime import timedelta
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated, Final, NamedTuple, TypeAlias

from fastapi import Depends, Request
from limits import RateLimitItem, parse
from limits.aio.strategies import MovingWindowRateLimiter
from pydantic import AfterValidator
from starlette.types import Scope

from ticketing_common.errors import TooManyRequestsError

from .rate_windows import Windows

__all__ = ["AddressDep", "Quota", "RateLimit", "RateLimiter", "address", "quota", "rate_limit_headers"]

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


class RateLimiter:
    """Counts calls per key, and refuses calls above the limit.

    In memory, so each of N replicas allows the full rate. It limits guessing and flooding; it does not count exactly.
    """

    def __init__(self, limit: str, *, name: str) -> None:
        self._item: RateLimitItem | None = None if limit == "off" else parse(limit)
        self._name = name
        self._windows = Windows()
        self._limiter = MovingWindowRateLimiter(self._windows)

    async def check(self, request: Request, *keys: str) -> None:
        """Count one call, and record the limit for the response's headers.

        Raises `TooManyRequestsError` with the seconds until the next is allowed.
        """
        if self._item is None:
            return
        allowed = await self._limiter.hit(self._item, self._name, *keys)
        stats = await self._limiter.get_window_stats(self._item, self._name, *keys)
        wait = max(1, math.ceil(stats.reset_time - self._windows.now()))
        policy = f'"{self._name}";q={self._item.amount};w={self._item.get_expiry()}'
        left = f'"{self._name}";r={stats.remaining if allowed else 0};t={wait}'
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


AddressDep: TypeAlias = Annotated[str, Depends(address)]
