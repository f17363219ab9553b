"""What routes ask for beside their input."""

from typing import Annotated, TypeAlias

from fastapi import Depends, Request

from ticketing_common.web import LiveFeed

from .service import TicketService

__all__ = ["LiveFeedDep", "TicketServiceDep"]


async def ticket_service(request: Request) -> TicketService:
    """The use cases of this process."""
    service: TicketService = request.app.state.service
    return service


async def live_feed(request: Request) -> LiveFeed:
    """What is told of all tickets, to this replica."""
    feed: LiveFeed = request.app.state.feed
    return feed


LiveFeedDep: TypeAlias = Annotated[LiveFeed, Depends(live_feed)]
TicketServiceDep: TypeAlias = Annotated[TicketService, Depends(ticket_service)]
