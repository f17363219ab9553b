"""Sellers: list tickets, change their prices, delete some, call some events off, refund orders and check passes in."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from .caller import Caller
from .ledger import Hold, Listing

OPEN_LISTINGS: Final = 12
QUANTITIES: Final = (1, 1, 3, 8)


@dataclass
class Board:
    """The ids of the tickets on sale, newest last: buyers try these."""

    open: list[str] = field(default_factory=list)
    sellers: "dict[str, Seller]" = field(default_factory=dict)
    """By their ids."""

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
            elif (share := chance.random()) < 0.6:
                await self._change_price(chance.choice(self.board.open))
            elif share < 0.8:
                await self._call_off(chance.choice(self.board.open))
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

    async def _call_off(self, ticket_id: str) -> None:
        listing = self.caller.ledger.listings[ticket_id]
        if listing.seller_id != self.caller.id or listing.in_doubt:
            return
        listing.off_requested = True
        self.board.take_off(ticket_id)
        answer = await self.caller.decided(
            "call off", "POST", f"/api/tickets/{ticket_id}/cancel", key=self.caller.key()
        )
        if answer is not None and answer.done:
            listing.off = True
        elif answer is not None and answer.status == 404 and not listing.deleted and not listing.in_doubt:
            self.caller.ledger.broken.append(f"ticket {ticket_id} was listed and is not there any more")

    async def refund(self, hold: Hold) -> None:
        """Refund a paid order."""
        hold.refund_requested = True
        path = f"/api/orders/{hold.id}/refund"
        answer = await self.caller.decided("refund", "POST", path, key=self.caller.key())
        if answer is None:
            return
        hold.refunded = answer.done
        # 409: the order has ended, because the event was called off.
        if not answer.done and not (answer.status == 409 and self.caller.ledger.listings[hold.ticket_id].off_requested):
            self.caller.ledger.broken.append(f"order {hold.id} was paid, and its refund gave {answer}")

    async def check_in(self, hold: Hold, code: str, pass_id: str) -> None:
        """Scan a pass; some passes twice, as a second entrance does at the same time."""
        twice = self.caller.chance.random() < 0.5
        await asyncio.gather(*(self._scan(hold, code, pass_id) for _ in range(1 + twice)))

    async def _scan(self, hold: Hold, code: str, pass_id: str) -> None:
        ledger, scanned = self.caller.ledger, {"code": code}
        answer = await self.caller.decided("scan", "POST", "/api/orders/checkins", scanned, key=self.caller.key())
        if answer is None:
            return
        status = answer.body.get("passStatus")
        if answer.done:
            ledger.admit(pass_id, answer.body["id"])
        elif status != "used" and not (status == "void" and ledger.may_end(hold)):
            ledger.broken.append(f"pass {pass_id} of order {hold.id} is not admitted: {answer}")
