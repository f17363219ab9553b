"""Rate limits of a costly route: a number of calls per account, and a higher number per network address."""

from fastapi import Request

from .rate_limit import RateLimiter

__all__ = ["CallerLimits"]


class CallerLimits:
    """Two limits with one name. The limit per address stops one person with many accounts.

    `off` for the account disables both. Both count in this replica's memory.
    """

    def __init__(self, name: str, *, account: str, address: str) -> None:
        self._account = RateLimiter(account, name=name)
        self._address = RateLimiter("off" if account == "off" else address, name=f"{name}-address")

    async def check(self, request: Request, *, user_id: str, address: str) -> None:
        """Count one call of this account from this address; raises `TooManyRequestsError`."""
        await self._address.check(request, address)
        await self._account.check(request, user_id)
