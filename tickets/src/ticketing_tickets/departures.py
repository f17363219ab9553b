"""Withdraws the listings of deleted accounts."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from ticketing_common.entity import utc_now
from ticketing_common.errors import UNREADABLE_DOCUMENT, TicketingError
from ticketing_common.events import TicketEvent, UserDeleted
from ticketing_common.storage import ASCENDING, Collection
from ticketing_common.telemetry import get_logger

from .domain import Ticket
from .errors import TicketNotFoundError
from .publishers import ticket_changed
from .repository import TicketRepository

log = get_logger(__name__)

LATEST_LISTING: Final = timedelta(hours=1)
"""A request that was admitted just before the account was deleted has listed its ticket long before that."""
AT_ONCE: Final = 100
ONE_LISTING: Final = (TicketingError, *UNREADABLE_DOCUMENT)
"""Errors of one listing, which do not stop the others."""


class Departures:
    """The deleted accounts that may still list something.

    A listing may be created at the very moment of the deletion, so a departure is stored, and looked at again by a
    sweep, until `LATEST_LISTING` has passed. Each withdrawal is one compare-and-swap of a listing: repetition, two
    replicas at once and a crash at any place are harmless. Afterwards the listing itself offers no seat that becomes
    free (`Ticket.withdraw`).
    """

    def __init__(self, collection: Collection, tickets: TicketRepository) -> None:
        self._collection = collection
        self._tickets = tickets

    async def on_user_deleted(self, event: UserDeleted) -> None:
        """Store that this account was deleted, and withdraw its listings."""
        user_id = event.data.user_id
        await self._collection.update_one(
            {"_id": user_id}, {"$setOnInsert": {"deleted_at": event.data.revoked_before}}, upsert=True
        )
        await self._withdraw(user_id)

    async def withdraw_all(self) -> int:
        """Withdraw what was listed late, and forget the departures that are done.

        Returns how many listings were withdrawn.
        """
        withdrawn = 0
        async for departure in self._collection.find().sort("_id", ASCENDING):
            try:
                withdrawn += await self._withdraw(departure["_id"])
                if departure["deleted_at"] < utc_now() - LATEST_LISTING:
                    await self._collection.delete_one({"_id": departure["_id"]})
            except ONE_LISTING:
                log.exception("listings of a deleted account not withdrawn", user_id=departure["_id"])
        return withdrawn

    async def _withdraw(self, seller_id: str) -> int:
        """Withdraw the seller's listings. Returns their number.

        One that cannot be changed does not stop the others; its error is raised at the end.
        """

        def change(ticket: Ticket) -> Callable[[Ticket], TicketEvent]:
            ticket.withdraw()
            return ticket_changed

        withdrawn = 0
        errors: list[Exception] = []
        after = ""
        while ids := await self._tickets.list_offered_ids(seller_id, after=after, limit=AT_ONCE):
            for ticket_id in ids:
                try:
                    await self._tickets.update(ticket_id, change)
                except TicketNotFoundError:  # another replica has just deleted it
                    continue
                except ONE_LISTING as error:
                    errors.append(error)
                    continue
                withdrawn += 1
            after = ids[-1]
        if withdrawn:
            log.info("listings of a deleted account withdrawn", user_id=seller_id, count=withdrawn)
        if errors:
            raise errors[0]
        return withdrawn
