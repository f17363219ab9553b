"""The use cases of tickets: create, find, edit, cancel, delete; and apply the events of orders."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Final

from ticketing_common.batching import Batcher, Operation
from ticketing_common.entity import new_id, utc_now
from ticketing_common.errors import UNREADABLE_DOCUMENT, ConcurrentUpdateError
from ticketing_common.events import OrderData, OrderStatus, TicketCancelled, TicketDeleted, TicketStatus
from ticketing_common.storage import DatabaseError
from ticketing_common.telemetry import current_traceparent, get_logger
from ticketing_common.web.pagination import Page, PageRequest

from .domain import Ticket, TicketDetails, TicketSearch, check_price
from .errors import TicketNotFoundError
from .publishers import ticket_cancelled, ticket_changed, ticket_created, ticket_deleted, ticket_updated
from .repository import OrderProjection, TicketRepository

log = get_logger(__name__)

FOLLOW_ATTEMPTS: Final = 16
FORGET_AT_ONCE: Final = 100


class TicketService:
    """The use cases; they do not depend on whether a request or an event calls them."""

    def __init__(self, tickets: TicketRepository, orders: OrderProjection, *, currency: str) -> None:
        self._tickets = tickets
        self._orders = orders
        self._currency = currency
        self._follow_together: Batcher[tuple[OrderData, str | None], None] = Batcher(
            self._follow_each, Operation("tickets.follow", {}), of_all=DatabaseError
        )

    async def create(self, seller_id: str, details: TicketDetails, *, ticket_id: str | None = None) -> Ticket:
        """Put a ticket on sale.

        `ticket_id` is the id that an earlier attempt of the same request may have used; returns the ticket of that
        attempt if there is one.

        Raises `PriceTooLowError` and `TotalTooHighError`.
        """
        quantity = details.quantity or 1
        check_price(details.price_cents, self._currency, quantity)
        ticket = Ticket(
            id=ticket_id or new_id(),
            user_id=seller_id,
            currency=self._currency,
            highest_seat=quantity,
            **asdict(replace(details, quantity=quantity)),
        )
        return await self._tickets.add_once(ticket, ticket_created)

    async def get(self, ticket_id: str) -> Ticket:
        """One ticket; raises `TicketNotFoundError`, for a deleted one too."""
        return await self._tickets.get(ticket_id)

    async def search(self, search: TicketSearch, page: PageRequest) -> Page[Ticket]:
        """A page of the public list. Raises `InvalidInputError` for an invalid cursor."""
        return await self._tickets.list_matching(search, page)

    async def list_of_seller(self, seller_id: str, page: PageRequest) -> Page[Ticket]:
        """A page of the seller's own listings in any status. Raises `InvalidInputError` for an invalid cursor."""
        return await self._tickets.list_of_seller(seller_id, page)

    async def edit(self, ticket_id: str, seller_id: str, details: TicketDetails) -> Ticket:
        """Replace the seller's details of a listing.

        Raises `TicketNotFoundError`, `TicketNotOwnedError`, `TicketCancelledError`, `TicketReservedError` while its
        only seat is held or sold, `FieldFixedError` for a field that may not change while some of its seats are,
        `PriceTooLowError`, `TotalTooHighError`, and `StartInPastError` for a new date that has passed.
        """
        now = utc_now()
        return await self._tickets.update(
            ticket_id, lambda ticket: ticket_updated if ticket.edit(seller_id, details, now=now) else None
        )

    async def cancel(self, ticket_id: str, seller_id: str) -> Ticket:
        """Call the event off; this is final. A cancelled listing stays as it is.

        Orders ends every order of it when it receives the event. Raises `TicketNotFoundError` and
        `TicketNotOwnedError`.

        Reads only the ticket's own document: an order whose event arrives later receives the cancellation again then.
        """

        def change(ticket: Ticket) -> Callable[[Ticket], TicketCancelled] | None:
            return ticket_cancelled if ticket.cancel(seller_id) else None

        return await self._tickets.update(ticket_id, change)

    async def delete(self, ticket_id: str, seller_id: str) -> None:
        """Delete a listing; this is final.

        Raises `TicketNotFoundError`, `TicketNotOwnedError`, `TicketCancelledError`, and `TicketReservedError` while a
        seat is held or sold.

        Reads only the ticket's own document: an order whose event arrives later receives the deletion again then.
        """

        def change(ticket: Ticket) -> Callable[[Ticket], TicketDeleted]:
            ticket.delete(seller_id)
            return ticket_deleted

        await self._tickets.update(ticket_id, change)

    async def forget_deleted(self, *, before: datetime) -> int:
        """Remove the texts of listings that were deleted before `before` (UTC), here and by event in each projection.

        Returns how many listings changed. Two replicas may do it at the same time: the second finds nothing to remove.
        One that cannot be changed does not stop the others.
        """
        forgotten = 0
        while batch := await self._tickets.list_deleted_with_texts(before=before, limit=FORGET_AT_ONCE):
            saved = 0
            for ticket in batch:
                ticket.forget_texts()
                try:
                    await self._tickets.save(ticket, ticket_deleted)
                except ConcurrentUpdateError:  # the next batch has it, if it still has its texts
                    continue
                except UNREADABLE_DOCUMENT:
                    log.exception("texts of a deleted listing not removed", ticket_id=ticket.id)
                else:
                    saved += 1
            if not saved:
                break
            forgotten += saved
        return forgotten

    async def follow_order(self, order: OrderData) -> None:
        """Apply an order's event; see `follow_orders`. Concurrent calls share one: those of a listing would compete for
        its document.
        """
        await self._follow_together((order, current_traceparent()))

    async def _follow_each(self, calls: Sequence[tuple[OrderData, str | None]]) -> list[None]:
        await self.follow_orders(
            [order for order, _ in calls], traces={order.ticket.id: trace for order, trace in calls}
        )
        return [None] * len(calls)

    async def follow_orders(
        self, orders: Sequence[OrderData], *, traces: Mapping[str, str | None] | None = None
    ) -> None:
        """Apply the events of different orders to the projection, and update each ticket from all its known orders.

        All orders of one ticket lead to one count and one change. `traces` has the `traceparent` of an event by ticket,
        for the events that this causes; without one they belong to the current trace.

        The result is correct in any order of arrival and on any number of replicas, for these reasons:

        * The tickets are read before the orders. In the other order, another replica could apply a newer event and save
          the ticket between the two reads. This replica would then decide from the older orders, and its
          compare-and-swap would still succeed, since it had read the newer ticket.
        * The last read of the orders comes after the last write and finds nothing to change. Another replica that
          applies an event between this replica's read and write may have found the ticket, as it was before the write,
          correct and left it unchanged; so after a write the orders are read once more. That costs one read. A crash
          before it leaves the event unacknowledged, so the event is redelivered.

        An active order of a cancelled listing was placed before orders received the cancellation, so the cancellation
        is published again. The order was stored before its event, so orders finds and ends it this time.

        Raises `TicketNotFoundError` for an active order of an unknown ticket, and `ConcurrentUpdateError`. Other
        tickets may be updated then.
        """
        traces = traces or {}
        known = await self._orders.apply_all(orders)
        tickets = await self._tickets.find_all(list({order.ticket.id for order in known}))
        for ticket_id in {order.ticket.id for order in known} - tickets.keys():
            if await self._orders.list_active(ticket_id):
                # An order names a ticket that this service published. Either the ticket was lost (an older backup was
                # restored), or this read was served by a former primary. The second case is transient, so the error is
                # too: the event is redelivered for a while and then becomes a dead letter for an operator.
                raise TicketNotFoundError(ticket_id)
        cancelled = await self._agree(tickets, traces)
        # Only another announcement changes a cancelled listing; it came after this read and so reaches the order too.
        active = {order.ticket.id for order in known if order.status is not OrderStatus.CANCELLED}
        late = [ticket for ticket in cancelled if ticket.id in active]
        await self._tickets.save_all(late, lambda ticket: ticket_cancelled(ticket).in_trace(traces.get(ticket.id)))

    async def _agree(self, tickets: Mapping[str, Ticket], traces: Mapping[str, str | None]) -> list[Ticket]:
        """Update these tickets until all agree with the orders. Returns the cancelled ones, which do not change."""
        cancelled: list[Ticket] = []
        for _ in range(FOLLOW_ATTEMPTS):
            cancelled += [ticket for ticket in tickets.values() if ticket.status is TicketStatus.CANCELLED]
            open_ = [ticket for ticket in tickets.values() if ticket.status is not TicketStatus.CANCELLED]
            taken = await asyncio.gather(*map(self._orders.taken, open_))
            changed = [ticket for ticket, orders in zip(open_, taken, strict=True) if ticket.follow(orders)]
            if not changed:
                return cancelled
            saved = await self._tickets.save_all(
                changed, lambda ticket: ticket_changed(ticket).in_trace(traces.get(ticket.id))
            )
            tickets = {ticket.id: ticket for ticket in saved}
            if overtaken := [ticket.id for ticket in changed if ticket.id not in tickets]:
                tickets |= await self._tickets.find_all(overtaken)
        raise ConcurrentUpdateError
