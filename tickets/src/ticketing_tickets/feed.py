"""The live updates of tickets: the same JSON as GET /api/tickets/{id}."""

from typing import Final

from ticketing_common.events import Event, TicketCancelled, TicketDeleted, TicketEvent, TicketUpdated
from ticketing_common.web import SseMessage

from .schemas import DeletedTicketResponse, TicketResponse

HISTORY: Final = 2_000
"""How many events back a browser can resume; fewer if they are long: `live_feed.HISTORY_BYTES` bounds their size."""


def ticket_message(event: Event) -> SseMessage:
    """`ticket.created`, `ticket.updated` or `ticket.deleted`.

    A cancelled listing is sent as `ticket.updated` with its status: a page that is open since before a release shows
    it too, since browsers ignore the names that a page does not know.
    """
    assert isinstance(event, TicketEvent)  # noqa: S101 (the stream carries no others)
    if isinstance(event, TicketDeleted):
        shown: DeletedTicketResponse | TicketResponse = DeletedTicketResponse(
            id=event.data.id, version=event.data.version
        )
    else:
        shown = TicketResponse.of(event.data)
    name = TicketUpdated.NAME if isinstance(event, TicketCancelled) else event.NAME
    return SseMessage(name, shown.model_dump_json(by_alias=True).encode())
