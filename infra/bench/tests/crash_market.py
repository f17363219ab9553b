"""A stack whose services can be told to die, as the tests of crash points need it."""

import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

import httpx

from ticketing_bench.load.market import Market as LoadedMarket
from ticketing_common.storage import connect
from ticketing_common.testing.servers import ServerProcess
from ticketing_local.api import Api
from ticketing_local.audit import AuditAddresses, Violation, audit
from ticketing_local.services import ServiceProcess, WorkerProcess
from ticketing_local.stack import Stack

__all__ = ["SOLD", "Ended", "Market", "given_up"]

CEILING_SECONDS: Final = 60.0
DEATH: Final = -9
PASSWORD: Final = token_hex(8)
CARD: Final = "pm_card_visa"


@dataclass(frozen=True)
class Ended:
    """How a sale ended: the order's and its payments' status, and what Stripe took."""

    order: str
    reason: str | None
    payments: list[str]
    taken: int


SOLD: Final = Ended("complete", None, ["captured"], 1)


def given_up(reason: str, *payments: str) -> Ended:
    return Ended("cancelled", reason, list(payments), 0)


class Market:
    """A stack whose services can be told to die, and one seller and one buyer."""

    def __init__(self, stack: Stack, folder: Path, http: httpx.Client) -> None:
        self.stack = stack
        self._folder = folder
        self.api = Api(http, stack.state.addresses)
        self._plant()
        self.seller = self.api.account("seller@example.com", PASSWORD)
        self.buyer = self.api.account("buyer@example.com", PASSWORD)

    def _plant(self) -> None:
        """Start our own processes again, each with its crash points; none is armed yet."""
        ours = [one for one in self.stack.processes.values() if isinstance(one, ServiceProcess | WorkerProcess)]
        for process in ours:
            folder = self._folder / process.name
            folder.mkdir()
            module = process.runner[-1]
            process.runner = (sys.executable, "-m", "ticketing_bench.chaos.crash_points", str(folder), module)
            process.stop()
            process.launch()
        for process in ours:
            process.wait_until_ready()

    def arm(self, name: str, point: str) -> ServerProcess:
        """Let this process die when it next comes to that point."""
        asyncio.run(self._nothing_on_its_way())
        (self._folder / name / point).touch()
        return self.stack.processes[name]

    async def _nothing_on_its_way(self) -> None:
        """So that it is what the test does next that comes to the point, and nothing from before.

        Outboxes count, and all is looked at twice: what tickets tells of a hold may come when its stream was just seen
        at rest. A service that dies of that has the payment still to come, and may be back when the hold has run out.
        """
        async with LoadedMarket.of(self.stack) as market:
            await market.settle(CEILING_SECONDS)

    def sell(self) -> str:
        made = self.api.call("POST", "/api/tickets", self.seller, json={"title": "A night", "price": 12.5})
        made.raise_for_status()
        ticket_id: str = made.json()["id"]
        return ticket_id

    def ask(self, method: str, path: str, body: dict[str, str] | None = None) -> httpx.Response | None:
        """The buyer's call; None when the service dies with it."""
        try:
            return self.api.call(method, path, self.buyer, json=body)
        except httpx.TransportError:
            return None

    def hold(self, ticket_id: str) -> None:
        """First all else comes to rest: what `arm` waits for later must not use up the time of this hold.

        A service that died in the test before this one left an event that comes again after `ack_wait_seconds`, which
        is as long as a hold lasts here.
        """
        asyncio.run(self._nothing_on_its_way())
        answer = self.ask("POST", "/api/orders", {"ticketId": ticket_id})
        assert answer is None or answer.status_code == 201, answer.text

    def order_of(self, ticket_id: str) -> dict[str, Any] | None:
        answer = self.api.call("GET", "/api/orders", self.buyer)
        answer.raise_for_status()
        return next((order for order in answer.json() if order["ticket"]["id"] == ticket_id), None)

    def pay(self, order_id: str, card: str | None = CARD) -> httpx.Response | None:
        body = {"orderId": order_id} | ({} if card is None else {"paymentMethodId": card})
        return self.ask("POST", "/api/payments", body)

    def buys(self, ticket_id: str) -> None:
        """The buyer's own hold on it, paid; nobody dies here."""
        order = self.order_of(ticket_id)
        assert order is not None
        paid = self.pay(order["id"])
        assert paid is not None
        assert paid.status_code == 201, paid.text

    def restart(self, process: ServerProcess) -> None:
        """Once it has died, which it must."""
        wait_for(lambda: process.exit_code == DEATH, f"{process.name} did not come to the point")
        process.start()

    def ends(self, ticket_id: str) -> Ended:
        """How it ends, once everything agrees; the audit's findings are the failure when it never does."""
        found: list[Ended] = []
        violations: list[Violation] = []

        def settled() -> bool:
            nonlocal violations
            found[:] = [asyncio.run(self._ended(ticket_id))]
            if found[0].order == "created" or {"initiated", "requires_action", "authorized"} & set(found[0].payments):
                return False
            addresses = AuditAddresses.of_stack(self.stack.state, self.stack.data)
            violations = asyncio.run(audit(addresses, grace_seconds=1.0))
            return not violations

        wait_for(settled, lambda: f"{found} {violations}")
        return found[0]

    async def _ended(self, ticket_id: str) -> Ended:
        client = connect(self.stack.state.addresses["mongo"], application="test")
        try:
            order = await client["orders"]["orders"].find_one({"ticket.id": ticket_id})
            assert order is not None
            rows = await client["payments"]["payments"].find({"order_id": order["_id"]}).to_list(None)
        finally:
            client.close()
        taken = [intent for intent in self._intents(order["_id"]) if intent["status"] == "succeeded"]
        return Ended(order["status"], order["reason"], [row["status"] for row in rows], len(taken))

    def _intents(self, order_id: str) -> list[dict[str, Any]]:
        listed = httpx.get(
            f"{self.stack.state.addresses['stripe']}/v1/payment_intents", params={"limit": 100}, auth=("sk_test", "")
        )
        listed.raise_for_status()
        return [one for one in listed.json()["data"] if (one["metadata"] or {}).get("order_id") == order_id]


def wait_for(condition: Callable[[], bool], otherwise: str | Callable[[], str]) -> None:
    deadline = time.monotonic() + CEILING_SECONDS
    while not condition():
        assert time.monotonic() < deadline, otherwise if isinstance(otherwise, str) else otherwise()
        time.sleep(0.1)
