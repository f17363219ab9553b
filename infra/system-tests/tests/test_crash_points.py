"""A service that dies at one exact boundary of its work is started again, and the sale ends correctly."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio

from ticketing_local.services import ServiceProcess, WorkerProcess
from ticketing_local.stack import Stack
from ticketing_ops.audit import Violation
from ticketing_system.market import GOOD_CARD, Market, market_of
from ticketing_system.stacks import make_stack
from ticketing_testkit.servers import ServerProcess

pytestmark = [pytest.mark.flow, pytest.mark.asyncio(loop_scope="module")]

WINDOW_SECONDS: Final = 300
"""How long a hold lasts that is to be paid: longer than a restart takes on a busy machine."""
SHORT_WINDOW_SECONDS: Final = 10
"""How long a hold lasts that is to expire."""
CEILING_SECONDS: Final = 60.0
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

        First all events settle, outboxes included, so that only the test's next action reaches the point: a service
        that crashes on an older event might be restarted only after the hold has expired.
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

        await wait_for(crashed, lambda: f"{process.name} did not reach the point")
        process.start()

    async def ends(self, ticket_id: str) -> Ended:
        """How the sale ends, once all services agree; fails with the audit's findings when they never do."""
        found: list[Ended] = []
        violations: list[Violation] = []

        async def settled() -> bool:
            found[:] = [await self._ended(ticket_id)]
            if found[0].order == "created" or {"initiated", "requires_action", "authorized"} & set(found[0].payments):
                return False
            violations[:] = await self.market.violations(grace_seconds=1, stripe_all=False)
            return not violations

        await wait_for(settled, lambda: f"{found} {violations}")
        return found[0]

    async def _ended(self, ticket_id: str) -> Ended:
        order, *_ = await self.market.documents("orders", "orders", **{"ticket.id": ticket_id})
        rows = await self.market.documents("payments", "payments", order_id=order["_id"])
        taken = [intent for intent in await self._intents(order["_id"]) if intent["status"] == "succeeded"]
        return Ended(order["status"], order["reason"], [row["status"] for row in rows], len(taken))

    async def _intents(self, order_id: str) -> list[dict[str, Any]]:
        async with httpx.AsyncClient(base_url=self.market.addresses.stripe_url, auth=("sk_test", "")) as stripe:
            listed = await stripe.get("/v1/payment_intents", params={"limit": 100})
        listed.raise_for_status()
        return [one for one in listed.json()["data"] if (one["metadata"] or {}).get("order_id") == order_id]


async def wait_for(condition: Callable[[], Awaitable[bool]], otherwise: Callable[[], str]) -> None:
    deadline = time.monotonic() + CEILING_SECONDS
    while not await condition():
        assert time.monotonic() < deadline, otherwise()
        await asyncio.sleep(0.1)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def sale(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sale]:
    """A sale whose holds last longer than a test."""
    async with running(tmp_path_factory, WINDOW_SECONDS) as sale:
        yield sale


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def sale_of_short_holds(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sale]:
    """A sale whose holds expire while a test waits."""
    async with running(tmp_path_factory, SHORT_WINDOW_SECONDS) as sale:
        yield sale


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


@pytest.mark.parametrize(("name", "point"), [("tickets", "after_commit"), ("tickets", "after_publish")])
async def test_a_listing_can_be_bought_whenever_a_service_dies(sale: Sale, name: str, point: str) -> None:
    process = await sale.arm(name, point)
    with contextlib.suppress(httpx.TransportError):  # the response is lost with tickets, the listing is not
        await sale.sell()
    await sale.restart(process)
    mine = await sale.market.call(sale.seller, "tickets", "GET", "/api/tickets/mine")
    ticket_id = mine.json()[0]["id"]
    await sale.hold(ticket_id)
    await sale.buys(ticket_id)
    assert await sale.ends(ticket_id) == SOLD


@pytest.mark.parametrize(
    ("name", "point"),
    [
        ("orders", "after_commit"),
        ("orders", "after_publish"),
        ("expiration", "before_ack"),
    ],
)
async def test_a_hold_that_was_placed_while_a_service_died_can_be_paid(sale: Sale, name: str, point: str) -> None:
    ticket_id = await sale.sell()
    process = await sale.arm(name, point)
    await sale.hold(ticket_id)
    await sale.restart(process)
    await sale.buys(ticket_id)
    assert await sale.ends(ticket_id) == SOLD


@pytest.mark.parametrize(
    ("name", "point"),
    [
        ("orders", "after_commit"),
        ("orders", "before_ack"),
        ("payments", "after_publish"),
        ("payments", "after_stripe_capture"),
        ("payments", "before_ack"),
        ("tickets", "before_ack"),
    ],
)
async def test_what_was_paid_is_captured_once_whenever_a_service_dies(sale: Sale, name: str, point: str) -> None:
    ticket_id = await sale.sell()
    await sale.hold(ticket_id)
    order_id = await sale.order_of(ticket_id)
    process = await sale.arm(name, point)
    paid = await sale.pay(order_id)
    assert paid is None or paid.status_code == 201, paid.text
    await sale.restart(process)
    assert await sale.ends(ticket_id) == SOLD


async def test_a_payment_counts_when_the_deadline_passes_before_its_event_is_redelivered(
    sale_of_short_holds: Sale,
) -> None:
    """orders crashes while it handles the payment's event; the broker redelivers it after the deadline of the hold."""
    await test_what_was_paid_is_captured_once_whenever_a_service_dies(sale_of_short_holds, "orders", "before_handling")


LOST_RESPONSES: Final = ["after_stripe_create", "after_stripe_confirm", "after_commit"]


async def lose_the_response(sale: Sale, point: str) -> tuple[str, str]:
    """The ticket and the order of a payment during which the service crashed; it runs again."""
    ticket_id = await sale.sell()
    await sale.hold(ticket_id)
    order_id = await sale.order_of(ticket_id)
    process = await sale.arm("payments", point)
    assert await sale.pay(order_id) is None
    await sale.restart(process)
    return ticket_id, order_id


@pytest.mark.parametrize("point", LOST_RESPONSES)
async def test_a_buyer_who_repeats_a_payment_after_a_lost_response_gets_the_ticket(sale: Sale, point: str) -> None:
    ticket_id, order_id = await lose_the_response(sale, point)
    paid = await sale.pay(order_id)
    assert paid is not None
    assert paid.status_code in (201, 409), paid.text  # 409: it is paid already
    assert await sale.ends(ticket_id) == SOLD


@pytest.mark.parametrize("point", LOST_RESPONSES)
async def test_a_payment_whose_response_was_lost_ends_without_the_buyer(sale_of_short_holds: Sale, point: str) -> None:
    """The buyer has either bought the ticket or keeps all of the money."""
    ticket_id, _ = await lose_the_response(sale_of_short_holds, point)
    assert await sale_of_short_holds.ends(ticket_id) in (SOLD, given_up("expired", "voided"))


async def test_a_void_is_recorded_although_payments_dies_after_stripe_has_voided(sale: Sale) -> None:
    ticket_id = await sale.sell()
    await sale.hold(ticket_id)
    order_id = await sale.order_of(ticket_id)
    begun = await sale.pay(order_id, card=None)
    assert begun is not None
    assert begun.json()["status"] == "requires_action"
    process = await sale.arm("payments", "after_stripe_cancel")
    cancelled = await sale.market.cancel(sale.buyer, order_id)
    assert cancelled.status_code == 204
    await sale.restart(process)
    assert await sale.ends(ticket_id) == given_up("buyer", "voided")


@pytest.mark.parametrize(("name", "point"), [("worker", "after_commit"), ("worker", "after_publish")])
async def test_an_unpaid_hold_ends_whenever_a_service_dies(sale_of_short_holds: Sale, name: str, point: str) -> None:
    ticket_id = await sale_of_short_holds.sell()
    await sale_of_short_holds.hold(ticket_id)
    await sale_of_short_holds.restart(await sale_of_short_holds.arm(name, point))
    assert await sale_of_short_holds.ends(ticket_id) == given_up("expired")
