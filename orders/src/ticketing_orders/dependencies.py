"""The dependencies of the routes."""

from typing import Annotated, TypeAlias

from fastapi import Request

from ticketing_common.web import CallerLimits, part_of_app

from .pass_service import PassService
from .service import OrderService
from .settings import Settings


def hold_limits(settings: Settings) -> CallerLimits:
    """The limits on attempts to hold a ticket, per account and per address."""
    return CallerLimits("holds", account=settings.rate_limit_holds, address=settings.rate_limit_holds_address)


async def limit_holds(request: Request) -> None:
    """Count an attempt to hold a ticket; raises `UnauthenticatedError` and `TooManyRequestsError`."""
    limits: CallerLimits = request.app.state.hold_limits
    await limits.check_user(request)


OrderServiceDep: TypeAlias = Annotated[OrderService, part_of_app("service")]
PassServiceDep: TypeAlias = Annotated[PassService, part_of_app("pass_service")]
