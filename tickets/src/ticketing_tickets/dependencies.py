"""The dependencies of the routes."""

from typing import Annotated, TypeAlias

from fastapi import Request

from ticketing_common.security import require_user
from ticketing_common.web import CallerLimits, part_of_app

from .errors import EmailUnverifiedError
from .service import TicketService
from .settings import Settings


def listing_limits(settings: Settings) -> CallerLimits:
    """The limits on creating, changing and deleting listings: each change goes to every open page of the list."""
    return CallerLimits("listings", account=settings.rate_limit_listings, address=settings.rate_limit_listings_address)


async def limit_listings(request: Request) -> None:
    """Count a change of the caller's listings; raises `UnauthenticatedError` and `TooManyRequestsError`."""
    limits: CallerLimits = request.app.state.listing_limits
    await limits.check_user(request)


async def require_verified_seller(request: Request) -> None:
    """Raises `UnauthenticatedError`, and `EmailUnverifiedError` if the service requires a confirmed e-mail.

    The claim is as old as the token. The next `currentuser` after the confirmation renews a browser's token.
    """
    user = require_user(request)
    settings: Settings = request.app.state.settings
    if settings.require_verified_sellers and not user.email_verified:
        raise EmailUnverifiedError


TicketServiceDep: TypeAlias = Annotated[TicketService, part_of_app("service")]
