"""What can be done with tickets: list, find, edit, delete; and follow the orders."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Final

from ticketing_common.entity import new_id, utc_now
from ticketing_common.errors import ConcurrentUpdateError
from ticketing_common.events import OrderData, TicketDeleted
from ticketing_common.web.pagination import Page, PageRequest

from .domain import Ticket, TicketDetails, TicketSearch, check_price
from .errors import TicketNotFoundError
from .publishers import ticket_changed, ticket_created, ticket_deleted, ticket_updated
from .repository import OrderProjection, TicketRepository
from .rounds import Rounds

__all__ = ["TicketService"]

FOLLOW_ATTEMPTS: Final = 16
FORGET_AT_ONCE: Final = 100


class TicketService:
    """The use cases; they do not know whether a request or an event called them."""

    def __init__(self, tickets: TicketRepository, orders: OrderProjection, *, currency: str) -> None:
        self._tickets = tickets
        self._orders = orders
        self._currency = currency
        self._agree = Rounds(self._agree_once)

    async def create(self, seller_id: str, details: TicketDetails, *, ticket_id: str | None = None) -> Ticket:
        """Put a ticket on sale; with an id that an earlier try may have used, the ticket that it listed.

        Raises `PriceTooLowError` and `TotalTooHighError`.
        """
        quantity = 1 if details.quantity is None else details.quantity
        check_price(details.price_cents, self._currency, quantity)
        ticket = Ticket(
            id=ticket_id or new_id(),
            user_id=seller_id,
            currency=self._currency,
            title=details.title,
            price_cents=details.price_cents,
            description=details.description,
            venue=details.venue,
            starts_at=details.starts_at,
            quantity=quantity,
            highest_seat=quantity,
        )
        return await self._tickets.add_once(ticket, ticket_created)

    async def get(self, ticket_id: str) -> Ticket:
        """One ticket; raises `TicketNotFoundError`, for a deleted one too."""
        return await self._tickets.get(ticket_id)

    async def search(self, search: TicketSearch, page: PageRequest) -> Page[Ticket]:
        """A page of what anybody may see. Raises `InvalidInputError` for a made-up cursor."""
        return await self._tickets.list_matching(search, page)

    async def list_of_seller(self, seller_id: str, page: PageRequest) -> Page[Ticket]:
        """A page of the seller's own, whatever their status. Raises `InvalidInputError` for a made-up cursor."""
        return await self._tickets.list_of_seller(seller_id, page)

    async def edit(self, ticket_id: str, seller_id: str, details: TicketDetails) -> Ticket:
        """Replace what the seller decides.

        Raises `TicketNotFoundError`, `TicketNotOwnedError`, `TicketReservedError` while its only seat is held or sold,
        `FieldFixedError` for what may not change while some of its seats are, `PriceTooLowError`, `TotalTooHighError`,
        and `StartInPastError` for a new date that has passed.
        """
        now = utc_now()
        return await self._tickets.update(
            ticket_id, lambda ticket: ticket_updated if ticket.edit(seller_id, details, now=now) else None
        )

    async def delete(self, ticket_id: str, seller_id: str) -> None:
        """Take a ticket off sale for good.

        Raises `TicketNotFoundError`, `TicketNotOwnedError`, and `TicketReservedError` while a seat is held or sold.

        Asks only the ticket's own document: an order that is still on its way is answered when it arrives.
        """

        def change(ticket: Ticket) -> Callable[[Ticket], TicketDeleted]:
            ticket.delete(seller_id)
            return ticket_deleted

        await self._tickets.update(ticket_id, change)

    async def forget_deleted(self, *, before: datetime) -> int:
        """Remove the texts of listings that were deleted before this moment, here and by the event at every projection.

        Returns how many. Two replicas may do it at the same time: the second finds nothing to remove.
        """
        forgotten = 0
        while batch := await self._tickets.list_deleted_with_texts(before=before, limit=FORGET_AT_ONCE):
            for ticket in batch:
                ticket.forget_texts()
                with suppress(ConcurrentUpdateError):  # then the next batch has it, if it is still to be done
                    await self._tickets.save(ticket, ticket_deleted)
                    forgotten += 1
        return forgotten

    async def follow_order(self, order: OrderData) -> None:
        """Take in what an event says of an order, and make the ticket agree with all that is known of its orders.

        Events that come together for one ticket lead to one look at its orders and one change. Right in any order of
        arrival, on any number of replicas, for these reasons:

        * The ticket is read before the orders. Were it the other way round, another replica could take in a newer event
          and save the ticket between the two reads; we would then decide from the older orders and yet pass the
          comparison of versions, since we had read the newer ticket.
        * The last look at the orders must come after the last write and must find nothing to change. Another replica
          that takes in an event between our look and our write may have found the ticket, as it was before our write,
          in agreement and left it alone; so after a write we look once more. It then costs one more read, and a crash
          before it leaves the event unacknowledged, so that it comes again.

        Raises `TicketNotFoundError` for an active order of a ticket that was never here, and `ConcurrentUpdateError`.
        """
        await self._agree((await self._orders.apply(order)).ticket.id)

    async def _agree_once(self, ticket_id: str) -> float:
        """One round of `follow_order`; returns when its last look at the orders began."""
        loop = asyncio.get_running_loop()
        ticket = await self._tickets.find(ticket_id)
        looked_at = loop.time()
        if ticket is None:
            if await self._orders.list_active(ticket_id):
                # An order names a ticket that this database told of, so it was here: it was lost (an older backup came
                # back), or we are reading from a primary that is no longer one. The second passes, so the event is not
                # refused for good: it is tried again for a while, then waits among the dead letters for a person.
                raise TicketNotFoundError(ticket_id)
            return looked_at
        for _ in range(FOLLOW_ATTEMPTS):
            looked_at = loop.time()
            if not ticket.follow(await self._orders.taken(ticket)):
                return looked_at
            try:
                await self._tickets.save(ticket, ticket_changed)
            except ConcurrentUpdateError:
                ticket = await self._tickets.find(ticket_id) or ticket
        raise ConcurrentUpdateError
