"""The HTTP adapter of tickets."""

from functools import partial
from typing import Final

from fastapi import Depends, Request, Response

from ticketing_common.security import CurrentUser
from ticketing_common.web import (
    EVENT_STREAM,
    PAGING,
    CreationId,
    EventStream,
    Id,
    LastEventId,
    LiveFeedDep,
    NoFields,
    PageRequestDep,
    ServiceRouter,
    ViewerDep,
    cached,
    idempotent,
    link_next,
    only_parameters,
)

from .dependencies import TicketServiceDep, limit_listings, require_verified_seller
from .schemas import SEARCH, TicketChangeRequest, TicketRequest, TicketResponse, TicketSearchDep, revised

router: Final = ServiceRouter(tags=["tickets"])
LimitedListings: Final = Depends(limit_listings)
VerifiedSeller: Final = Depends(require_verified_seller)


@router.post("", status_code=201, dependencies=[LimitedListings, VerifiedSeller])
@idempotent
async def create_ticket(
    body: TicketRequest, user: CurrentUser, service: TicketServiceDep, ticket_id: CreationId
) -> TicketResponse:
    """Put a ticket on sale. 403: the service requires a confirmed e-mail, and the token does not have one."""
    return TicketResponse.of(await service.create(user.id, body.details(), ticket_id=ticket_id))


@router.get("", dependencies=[only_parameters(*SEARCH, *PAGING)])
@cached
async def list_tickets(
    request: Request, response: Response, search: TicketSearchDep, page: PageRequestDep, service: TicketServiceDep
) -> list[TicketResponse]:
    """Search the public list; `Link: …; rel="next"` names the next page."""
    found = await service.search(search, page)
    link_next(request, response, found)
    request.state.revise_answer = partial(revised, without_ended=search.unbegun)
    return [TicketResponse.of(ticket) for ticket in found.items]


# Declared before /{id}, which would match "mine" as an id.
@router.get("/mine", dependencies=[only_parameters(*PAGING)])
async def list_my_tickets(
    request: Request, response: Response, user: CurrentUser, page: PageRequestDep, service: TicketServiceDep
) -> list[TicketResponse]:
    """The caller's own listings, newest first; `Link: …; rel="next"` names the next page."""
    found = await service.list_of_seller(user.id, page)
    link_next(request, response, found)
    return [TicketResponse.of(ticket) for ticket in found.items]


@router.get("/stream", response_class=EventStream, responses=EVENT_STREAM)
async def stream_tickets(feed: LiveFeedDep, viewer: ViewerDep, last_event_id: LastEventId = None) -> EventStream:
    """Every change of every ticket as it happens: `ticket.created`, `ticket.updated` (with the ticket as GET shows it)
    and `ticket.deleted` (`{id, version}`).

    A new connection receives `ready` first. `reset` means that the Last-Event-ID is too old: reload, and read on.
    """
    return EventStream(feed.resume(viewer, last_event_id))


@router.get("/{id}")
async def get_ticket(ticket_id: Id, service: TicketServiceDep) -> TicketResponse:
    """One ticket."""
    return TicketResponse.of(await service.get(ticket_id))


@router.put("/{id}", dependencies=[LimitedListings])
async def update_ticket(
    ticket_id: Id, body: TicketChangeRequest, user: CurrentUser, service: TicketServiceDep
) -> TicketResponse:
    """Replace the seller's details of a listing.

    409 once the event is called off, and while its only seat is held or sold. While some of several seats are held or
    sold, only the price, the description and the quantity may change, and the quantity not below the taken seats; the
    409 for another change names its field.
    """
    return TicketResponse.of(await service.edit(ticket_id, user.id, body.details()))


@router.post("/{id}/cancel", dependencies=[LimitedListings, NoFields])
@idempotent
async def cancel_ticket(ticket_id: Id, user: CurrentUser, service: TicketServiceDep) -> TicketResponse:
    """Call the event off; this is final, and idempotent.

    Every order of it ends (`event_cancelled`): unpaid holds are released, and paid ones are refunded. The listing can
    no longer be changed or deleted.
    """
    return TicketResponse.of(await service.cancel(ticket_id, user.id))


@router.delete("/{id}", status_code=204, dependencies=[LimitedListings])
async def delete_ticket(ticket_id: Id, user: CurrentUser, service: TicketServiceDep) -> None:
    """Delete a listing; this is final. 409 while a seat is held or sold, and once the event is called off."""
    await service.delete(ticket_id, user.id)
