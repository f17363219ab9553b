"""What routes ask for beside their input."""

from typing import Annotated, TypeAlias

from fastapi import Depends, Request

from .service import TicketService

__all__ = ["TicketServiceDep"]


async def ticket_service(request: Request) -> TicketService:
    """The use cases of this process."""
    service: TicketService = request.app.state.service
    return service


TicketServiceDep: TypeAlias = Annotated[TicketService, Depends(ticket_service)]
