"""Buyers: hold a ticket, then pay, get a decline, cancel, do nothing, or do two things concurrently; then enter."""

import asyncio
from dataclasses import dataclass
from typing import Final

from ticketing_system.market import DECLINED_CARD, GOOD_CARD

from .caller import Answer, Caller
from .ledger import Charge, Hold
from .sellers import Board

QUANTITIES: Final = (1, 1, 1, 2, 3)
NEWEST: Final = 4
"""Buyers choose among the newest tickets only, so that they compete."""
PLANS: Final = {"pay": 50, "decline first": 10, "cancel": 12, "forget": 8, "pay and cancel": 10, "pay twice": 10}
SAMPLES: Final = 20
SAMPLE_SECONDS: Final = 0.25
ENTERING: Final = 0.8
REFUNDED: Final = 0.1
"""The shares of paid orders whose buyers enter, and that the seller refunds."""


@dataclass
class Buyer:
    """Buys one ticket after another."""

    caller: Caller
    board: Board

    async def buy_until(self, stopping: asyncio.Event) -> None:
        """Place one order after another, and sometimes sign in again."""
        chance = self.caller.chance
        while not stopping.is_set():
            if chance.random() < 0.03:
                await self.caller.sign_in()
            if self.board.open:
                hold = await self._hold(chance.choice(self.board.open[-NEWEST:]))
                if hold is not None:
                    await self._go_on(hold)
            await asyncio.sleep(chance.uniform(0.0, 0.2))

    async def _hold(self, ticket_id: str) -> Hold | None:
        ledger, key = self.caller.ledger, self.caller.key()
        quantity = self.caller.chance.choice(QUANTITIES)
        body = {"ticketId": ticket_id, "quantity": quantity}
        answer = await self.caller.decided("hold", "POST", "/api/orders", body, key=key)
        if answer is None or not answer.done:
            return None
        order = answer.body
        seats, cents = tuple(order["seats"]), round(order["ticket"]["price"] * 100)
        if (len(set(seats)), round(order["total"] * 100)) != (quantity, quantity * cents):
            ledger.broken.append(f"order {order['id']} of {quantity} has seats {seats} for {order['total']}")
        hold = ledger.place(Hold(order["id"], self.caller.id, ticket_id, cents, seats))
        if self.caller.chance.random() < 0.1:
            again = await self.caller.decided("hold again", "POST", "/api/orders", body, key=key)
            if again is not None and (not again.done or again.body["id"] != hold.id):
                ledger.broken.append(f"order {hold.id} repeated with its key gave {again}")
        return hold

    async def _go_on(self, hold: Hold) -> None:
        plan = self.caller.chance.choices(list(PLANS), list(PLANS.values()))[0]
        match plan:
            case "pay":
                await self._pay(hold, GOOD_CARD)
            case "decline first":
                await self._pay(hold, DECLINED_CARD)
                await self._pay(hold, GOOD_CARD)
            case "cancel":
                await self._cancel(hold)
            case "pay and cancel":
                await asyncio.gather(self._pay(hold, GOOD_CARD), self._cancel(hold))
            case "pay twice":
                await asyncio.gather(self._pay(hold, GOOD_CARD), self._pay(hold, GOOD_CARD))
            case _:
                return
        await self._watch(hold)

    async def _pay(self, hold: Hold, card: str) -> None:
        body = {"orderId": hold.id, "paymentMethodId": card}
        action = "pay" if card == GOOD_CARD else "pay with a bad card"
        answer = await self.caller.decided(action, "POST", "/api/payments", body, key=self.caller.key())
        if answer is None:
            return
        if answer.done and answer.body["status"] in ("authorized", "captured"):
            self.caller.ledger.charge(Charge(hold.id, answer.body["id"], paid=True))
        elif answer.status == 402:
            self.caller.ledger.charge(Charge(hold.id, None, paid=False))

    async def _cancel(self, hold: Hold) -> None:
        answer = await self.caller.decided("cancel", "DELETE", f"/api/orders/{hold.id}")
        if answer is not None and answer.done:
            hold.cancelled = True
        self._check_known(hold, answer)

    async def _watch(self, hold: Hold) -> None:
        """Read the order until it is decided, or for a few seconds: a shown status is a promise too."""
        for _ in range(SAMPLES):
            answer = await self.caller.decided("read order", "GET", f"/api/orders/{hold.id}")
            self._check_known(hold, answer)
            if answer is None or not answer.done:
                return
            status = answer.body["status"]
            if status == "complete":
                hold.seen_complete = True
                # A listing of several seats stays on the board for about as many sales.
                if self.caller.chance.random() * self.caller.ledger.listings[hold.ticket_id].quantity < 1:
                    self.board.take_off(hold.ticket_id)
                await self._use(hold)
            elif hold.seen_complete and not self.caller.ledger.may_end(hold):
                self.caller.ledger.broken.append(f"order {hold.id} was shown as complete and then as {status}")
            if status != "created":
                return
            await asyncio.sleep(SAMPLE_SECONDS)

    async def _use(self, hold: Hold) -> None:
        """The buyer shows the passes at the entrance, the seller refunds, both, or neither."""
        chance, ledger = self.caller.chance, self.caller.ledger
        seller = self.board.sellers[ledger.listings[hold.ticket_id].seller_id]
        refund = chance.random() < REFUNDED
        if chance.random() >= ENTERING:
            if refund:
                await seller.refund(hold)
            return
        answer = await self.caller.decided("read passes", "GET", f"/api/orders/{hold.id}/passes")
        if answer is None:
            return
        if not answer.done or tuple(one["seat"] for one in answer.body) != tuple(sorted(hold.seats)):
            ledger.broken.append(f"order {hold.id} was complete, and its passes are {answer}")
            return
        scans = [seller.check_in(hold, one["code"], one["id"]) for one in answer.body]
        await asyncio.gather(*scans, *([seller.refund(hold)] if refund else []))

    def _check_known(self, hold: Hold, answer: Answer | None) -> None:
        if answer is not None and answer.status == 404:
            self.caller.ledger.broken.append(f"order {hold.id} was acknowledged and is not there any more")
