"""What the routes are given."""

from typing import Annotated, TypeAlias

from fastapi import Depends, Request

from ticketing_common.security import CurrentUser
from ticketing_common.web import RateLimiter

from .service import OrderService

__all__ = ["OrderServiceDep", "limit_holds"]


async def order_service(request: Request) -> OrderService:
    """The one service object of this process."""
    service: OrderService = request.app.state.service
    return service


async def limit_holds(request: Request, user: CurrentUser) -> None:
    """Count a try to hold a ticket; raises `TooManyRequestsError`."""
    limiter: RateLimiter = request.app.state.hold_limiter
    await limiter.check(user.id)


OrderServiceDep: TypeAlias = Annotated[OrderService, Depends(order_service)]
