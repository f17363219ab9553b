"""A service that dies at one exact boundary of its work is started again, and the sale ends correctly."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

import httpx
import pytest
import pytest_asyncio

from .crashing_sale import SHORT_WINDOW_SECONDS, SOLD, WINDOW_SECONDS, Ended, Sale, given_up, running

pytestmark = [pytest.mark.flow, pytest.mark.asyncio(loop_scope="module")]


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
    sale = sale_of_short_holds
    ticket_id = await sale.sell()
    process = await sale.arm("orders", "before_handling_a_payment")
    await sale.hold(ticket_id)
    await sale.buys(ticket_id)
    await sale.restart(process)
    assert await sale.ends(ticket_id) == SOLD


LOST_RESPONSES: Final = ["after_stripe_create", "after_stripe_confirm", "after_commit"]


async def lose_the_response(sale: Sale, point: str) -> tuple[str, str]:
    """The ticket and the order of a payment during which the service crashed; it runs again."""
    ticket_id = await sale.sell()
    process = await sale.arm("payments", point)
    await sale.hold(ticket_id)
    order_id = await sale.order_of(ticket_id)
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
    sale = sale_of_short_holds
    ticket_id = await sale.sell()
    process = await sale.arm(name, point)
    await sale.hold(ticket_id)
    await sale.restart(process)
    assert await sale.ends(ticket_id) == given_up("expired")


@pytest.mark.parametrize(
    ("name", "point"),
    [
        ("orders", "after_commit_of_an_end"),
        ("orders", "before_ack_of_an_end"),
        ("tickets", "before_ack_of_an_end"),
        ("auth", "before_ack_of_an_end"),
    ],
)
async def test_holds_that_end_together_all_end_whenever_a_service_dies_with_a_batch(
    sale_of_short_holds: Sale, name: str, point: str
) -> None:
    sale, holds = sale_of_short_holds, 20
    ticket_id = await sale.market.list_ticket(sale.seller, quantity=holds)
    buyers = await sale.market.sign_in(holds)
    process = await sale.arm(name, point)
    placed = await asyncio.gather(*(sale.market.hold(buyer, ticket_id) for buyer, _ in buyers))
    assert {answer.status_code for answer in placed} == {201}
    await sale.restart(process)
    assert await sale.all_expire(ticket_id) == holds
    for buyer, _ in buyers[:2]:
        again = await sale.market.hold(buyer, ticket_id, holds // 2)
        assert again.status_code == 201, "every seat is free again"
        assert (await sale.market.cancel(buyer, again.json()["id"])).status_code == 204


def given_back(reason: str) -> Ended:
    return Ended("cancelled", reason, ["refunded"], 1)


@pytest.mark.parametrize(
    ("name", "point"),
    [
        ("tickets", "after_commit"),
        ("tickets", "after_publish"),
        ("orders", "before_handling"),
        ("orders", "after_commit"),
        ("orders", "before_ack"),
        ("payments", "after_stripe_refund"),
        ("payments", "after_commit"),
        ("payments", "before_ack"),
    ],
)
async def test_calling_an_event_off_gives_the_money_back_once_whenever_a_service_dies(
    sale: Sale, name: str, point: str
) -> None:
    ticket_id = await sale.sell()
    await sale.hold(ticket_id)
    await sale.buys(ticket_id)
    process = await sale.arm(name, point)
    with contextlib.suppress(httpx.TransportError):
        assert (await sale.market.call_off(sale.seller, ticket_id)).status_code == 200
    await sale.restart(process)
    assert await sale.ends(ticket_id, after=SOLD) == given_back("event_cancelled")
    assert await sale.refunds(ticket_id) == [1250]
    assert (await sale.market.call_off(sale.seller, ticket_id)).status_code == 200


@pytest.mark.parametrize(
    ("name", "point"),
    [
        ("orders", "after_commit"),
        ("orders", "after_publish"),
        ("payments", "before_handling"),
        ("payments", "after_stripe_refund"),
        ("payments", "after_publish"),
    ],
)
async def test_a_refund_is_made_once_whenever_a_service_dies(sale: Sale, name: str, point: str) -> None:
    ticket_id = await sale.sell()
    await sale.hold(ticket_id)
    await sale.buys(ticket_id)
    order_id = await sale.order_of(ticket_id)
    process = await sale.arm(name, point)
    with contextlib.suppress(httpx.TransportError):
        assert (await sale.market.refund(sale.seller, order_id)).status_code == 202
    await sale.restart(process)
    assert await sale.ends(ticket_id, after=SOLD) == given_back("refunded")
    assert await sale.refunds(ticket_id) == [1250]
    assert (await sale.market.refund(sale.seller, order_id)).status_code == 202
