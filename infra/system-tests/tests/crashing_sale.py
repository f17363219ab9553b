"""A sale on a stack whose services crash at one exact boundary of their work."""

import contextlib
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from ticketing_local.services import ServiceProcess, WorkerProcess
from ticketing_local.stack import Stack
from ticketing_ops.audit import Violation
from ticketing_system.market import GOOD_CARD, Market, market_of
from ticketing_system.stacks import make_stack
from ticketing_testkit.servers import ServerProcess
from ticketing_testkit.waiting import until

__all__ = ["SHORT_WINDOW_SECONDS", "SOLD", "WINDOW_SECONDS", "Ended", "Sale", "given_up", "running"]

WINDOW_SECONDS: Final = 300
"""How long a hold lasts that is to be paid: longer than a restart takes on a busy machine."""
SHORT_WINDOW_SECONDS: Final = 10
"""How long a hold lasts that is to expire."""
KILLED: Final = -9


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


class Sale:
    """One seller and one buyer on a stack whose services have crash points."""

    def __init__(self, stack: Stack, folder: Path, market: Market, seller: str, buyer: str) -> None:
        self.stack = stack
        self.market, self.seller, self.buyer = market, seller, buyer
        self._folder = folder
        self._plant()

    def _plant(self) -> None:
        """Restart the product's processes, each with its crash points; none is armed yet."""
        ours = [one for one in self.stack.processes.values() if isinstance(one, ServiceProcess | WorkerProcess)]
        for process in ours:
            folder = self._folder / process.name
            folder.mkdir()
            module = process.runner[-1]
            process.runner = (sys.executable, "-m", "ticketing_system.crash_points", str(folder), module)
            process.stop()
            process.launch()
        for process in ours:
            process.wait_until_ready()

    async def arm(self, name: str, point: str) -> ServerProcess:
        """Let this process crash when it next reaches that point.

        First all events settle, outboxes included, so that only the test's next action reaches the point. That may take
        as long as a short hold lasts: before such a hold is placed, arm a point that only what follows it reaches.
        """
        await self.market.settle()
        (self._folder / name / point).touch()
        return self.stack.processes[name]

    async def sell(self) -> str:
        """List a new ticket; returns its id."""
        return await self.market.list_ticket(self.seller, 12.5)

    async def hold(self, ticket_id: str) -> None:
        """Place the order; the service may crash with it.

        First all events settle: a service that crashed in the test before left an event that is redelivered after
        `ack_wait_seconds`, which is as long as a hold lasts here.
        """
        await self.market.settle()
        with contextlib.suppress(httpx.TransportError):
            answer = await self.market.hold(self.buyer, ticket_id)
            assert answer.status_code == 201, answer.text

    async def order_of(self, ticket_id: str) -> str:
        """The id of the buyer's newest order of this ticket, as the API lists it."""
        answer = await self.market.call(self.buyer, "orders", "GET", "/api/orders")
        answer.raise_for_status()
        return next(str(order["id"]) for order in answer.json() if order["ticket"]["id"] == ticket_id)

    async def pay(self, order_id: str, card: str | None = GOOD_CARD) -> httpx.Response | None:
        """Pay; returns None when the service crashes."""
        try:
            return await self.market.pay(self.buyer, order_id, card)
        except httpx.TransportError:
            return None

    async def buys(self, ticket_id: str) -> None:
        """Pay for the buyer's hold of this ticket; no service crashes here."""
        paid = await self.pay(await self.order_of(ticket_id))
        assert paid is not None
        assert paid.status_code == 201, paid.text

    async def restart(self, process: ServerProcess) -> None:
        """Wait until the process has crashed, and start it again."""

        async def crashed() -> bool:
            return process.exit_code == KILLED

        await until(crashed, why=lambda: f"{process.name} did not reach the point")
        process.start()

    async def ends(self, ticket_id: str, *, after: Ended | None = None) -> Ended:
        """How the sale ends, once all services agree; fails with the audit's findings when they never do.

        `after` is an earlier end, whose payments an action of the test changes.
        """
        found: list[Ended] = []
        violations: list[Violation] = []

        async def settled() -> bool:
            found[:] = [await self._ended(ticket_id)]
            if after is not None and found[0].payments == after.payments:
                return False
            if found[0].order == "created" or {"initiated", "requires_action", "authorized"} & set(found[0].payments):
                return False
            violations[:] = await self.market.violations(grace_seconds=1, stripe_all=False)
            return not violations

        await until(settled, why=lambda: f"{found} {violations}")
        return found[0]

    async def all_expire(self, ticket_id: str) -> int:
        """How many holds of this ticket have expired, once none is active and all services agree."""
        found: list[object] = []

        async def settled() -> bool:
            orders = await self.market.documents("orders", "orders", **{"ticket.id": ticket_id})
            found[:] = [order["reason"] for order in orders]
            return set(found) == {"expired"} and not await self.market.violations(grace_seconds=1, stripe_all=False)

        await until(settled, why=lambda: found)
        return len(found)

    async def _ended(self, ticket_id: str) -> Ended:
        order, *_ = await self.market.documents("orders", "orders", **{"ticket.id": ticket_id})
        rows = await self.market.documents("payments", "payments", order_id=order["_id"])
        taken = [intent for intent in await self._intents(order["_id"]) if intent["status"] == "succeeded"]
        return Ended(order["status"], order["reason"], [row["status"] for row in rows], len(taken))

    async def refunds(self, ticket_id: str) -> list[int]:
        """The amounts of Stripe's refunds of the newest order of this ticket, in cents."""
        (intent,) = await self._intents(await self.order_of(ticket_id))
        listed = await self._stripe("/v1/refunds", payment_intent=intent["id"])
        return [refund["amount"] for refund in listed]

    async def _intents(self, order_id: str) -> list[dict[str, Any]]:
        listed = await self._stripe("/v1/payment_intents")
        return [one for one in listed if (one["metadata"] or {}).get("order_id") == order_id]

    async def _stripe(self, path: str, **query: str) -> list[dict[str, Any]]:
        async with httpx.AsyncClient(base_url=self.market.addresses.stripe_url, auth=("sk_test", "")) as stripe:
            listed = await stripe.get(path, params={"limit": "100", **query})
        listed.raise_for_status()
        found: list[dict[str, Any]] = listed.json()["data"]
        return found


@contextlib.asynccontextmanager
async def running(tmp_path_factory: pytest.TempPathFactory, window_seconds: int) -> AsyncIterator[Sale]:
    stack = make_stack(tmp_path_factory.mktemp("stack"), window_seconds=window_seconds)
    with stack.data.locked():
        stack.start(lambda _name, _what: None)
        try:
            async with market_of(stack) as market:
                (seller, _), (buyer, _) = await market.sign_in(2)
                yield Sale(stack, tmp_path_factory.mktemp("points"), market, seller, buyer)
        finally:
            stack.stop()
