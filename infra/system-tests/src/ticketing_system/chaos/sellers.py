"""Sellers: list tickets, change their prices, and delete some of them."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from .caller import Caller
from .ledger import Listing

__all__ = ["Board", "Seller"]

OPEN_LISTINGS: Final = 12
QUANTITIES: Final = (1, 1, 3, 8)


@dataclass
class Board:
    """The ids of the tickets on sale, newest last: buyers try these."""

    open: list[str] = field(default_factory=list)

    def take_off(self, ticket_id: str) -> None:
        """Remove a ticket that is sold or deleted."""
        if ticket_id in self.open:
            self.open.remove(ticket_id)


@dataclass
class Seller:
    """Keeps a dozen tickets on the board."""

    caller: Caller
    board: Board

    async def sell_until(self, stopping: asyncio.Event) -> None:
        """Do one action after another."""
        chance = self.caller.chance
        while not stopping.is_set():
            if len(self.board.open) < OPEN_LISTINGS:
                await self._list()
            elif chance.random() < 0.7:
                await self._change_price(chance.choice(self.board.open))
            else:
                await self._take_back(chance.choice(self.board.open))
            await asyncio.sleep(chance.uniform(0.0, 0.2))

    async def _list(self) -> None:
        chance, ledger = self.caller.chance, self.caller.ledger
        cents, quantity = chance.randint(100, 20_000), chance.choice(QUANTITIES)
        title = f"Night {chance.getrandbits(32):08x}"
        body = {"title": title, "price": cents / 100, "quantity": quantity}
        key = self.caller.key()
        answer = await self.caller.decided("list", "POST", "/api/tickets", body, key=key)
        if answer is None or not answer.done:
            return
        ticket_id = answer.body["id"]
        ledger.list_ticket(Listing(ticket_id, self.caller.id, title, cents, answer.body["version"], quantity))
        self.board.open.append(ticket_id)
        if chance.random() < 0.1:
            again = await self.caller.decided("list again", "POST", "/api/tickets", body, key=key)
            if again is not None and (not again.done or again.body["id"] != ticket_id):
                ledger.broken.append(f"listing {ticket_id} repeated with its key gave {again}")

    async def _change_price(self, ticket_id: str) -> None:
        listing = self.caller.ledger.listings[ticket_id]
        if listing.seller_id != self.caller.id or listing.in_doubt:
            return
        cents = self.caller.chance.randint(100, 20_000)
        body = {"title": listing.title, "price": cents / 100}
        answer = await self.caller.decided("change price", "PUT", f"/api/tickets/{ticket_id}", body)
        if answer is not None and answer.done:
            listing.version = max(listing.version, answer.body["version"])
        elif answer is not None and answer.status == 404:
            self.caller.ledger.broken.append(f"ticket {ticket_id} was listed and is not there any more")

    async def _take_back(self, ticket_id: str) -> None:
        listing = self.caller.ledger.listings[ticket_id]
        if listing.seller_id != self.caller.id:
            return
        listing.in_doubt = True
        answer = await self.caller.decided("take back", "DELETE", f"/api/tickets/{ticket_id}")
        if answer is None:
            self.board.take_off(ticket_id)
            return
        # The second attempt gets a 404 when the first one succeeded and its response was lost.
        listing.deleted = answer.status in (204, 404)
        listing.in_doubt = False
        if listing.deleted:
            self.board.take_off(ticket_id)
