"""The dependencies of the routes."""

from typing import Annotated, TypeAlias

from fastapi import Depends, Request

from ticketing_common.security import require_user
from ticketing_common.web import CallerLimits, address

from .pass_service import PassService
from .service import OrderService
from .settings import Settings

__all__ = ["HoldLimits", "OrderServiceDep", "PassServiceDep", "limit_holds"]


async def order_service(request: Request) -> OrderService:
    """The one service object of this process."""
    service: OrderService = request.app.state.service
    return service


async def pass_service(request: Request) -> PassService:
    """The one object of this process for passes."""
    service: PassService = request.app.state.pass_service
    return service


class HoldLimits(CallerLimits):
    """The limits on attempts to hold a ticket, per account and per address."""

    def __init__(self, settings: Settings) -> None:
        super().__init__("holds", account=settings.rate_limit_holds, address=settings.rate_limit_holds_address)


async def limit_holds(request: Request) -> None:
    """Count an attempt to hold a ticket; raises `UnauthenticatedError` and `TooManyRequestsError`."""
    user = require_user(request)
    limits: HoldLimits = request.app.state.hold_limits
    if not limits.off:
        await limits.check(request, user_id=user.id, address=await address(request))


OrderServiceDep: TypeAlias = Annotated[OrderService, Depends(order_service)]
PassServiceDep: TypeAlias = Annotated[PassService, Depends(pass_service)]
