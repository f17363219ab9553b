"""What the routes are given."""

from typing import Annotated, TypeAlias

from fastapi import Depends, Request

from ticketing_common.security import require_user
from ticketing_common.web import RateLimiter, address

from .service import OrderService
from .settings import Settings

__all__ = ["HoldLimits", "OrderServiceDep", "limit_holds"]


async def order_service(request: Request) -> OrderService:
    """The one service object of this process."""
    service: OrderService = request.app.state.service
    return service


class HoldLimits:
    """So many per user, and more per address: against one person with many accounts."""

    def __init__(self, settings: Settings) -> None:
        off = settings.rate_limit_holds == "off"
        self._user = RateLimiter(settings.rate_limit_holds, name="holds")
        self._address = RateLimiter("off" if off else settings.rate_limit_holds_address, name="holds-address")

    async def check(self, request: Request, *, user_id: str, address: str) -> None:
        """Count a try to hold a ticket; raises `TooManyRequestsError`."""
        await self._address.check(request, address)
        await self._user.check(request, user_id)


async def limit_holds(request: Request) -> None:
    """Count a try to hold a ticket; raises `UnauthenticatedError` and `TooManyRequestsError`."""
    user = require_user(request)
    limits: HoldLimits = request.app.state.hold_limits
    await limits.check(request, user_id=user.id, address=await address(request))


OrderServiceDep: TypeAlias = Annotated[OrderService, Depends(order_service)]
