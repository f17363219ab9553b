"""Payments against concurrent changes: in each round one side wins, and the money agrees."""

import asyncio
from typing import Any, NamedTuple

import httpx
import pytest

from ticketing_common.entity import utc_now
from ticketing_system.in_process import InProcessMarket
from ticketing_system.market import GOOD_CARD

from .racing import Pair, play

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]

SEED = 20_261_123
# Paid; decided otherwise; or unknown, as when both replicas make the same call to Stripe: then the stored state counts.
ANSWERS = {201, 409, 503}


class Round(NamedTuple):
    """One order, and the responses to the two sides."""

    order_id: str
    one: httpx.Response
    other: httpx.Response


async def payments_of(market: InProcessMarket, ended: Round) -> list[dict[str, Any]]:
    return await market.documents("payments", "payments", order_id=ended.order_id)


async def test_pay_against_cancel(market: InProcessMarket) -> None:
    pair, buyer = Pair(SEED), market.people[1]

    async def once() -> Round:
        order_id = await market.order(buyer)
        return Round(
            order_id,
            *await pair.during(lambda: market.pay(buyer, order_id), lambda: market.cancel(buyer, order_id)),
        )

    async def outcome(ended: Round) -> str:
        order = await market.document("orders", "orders", _id=ended.order_id)
        paid = [payment["status"] for payment in await payments_of(market, ended)]
        assert ended.one.status_code in ANSWERS, ended.one.text
        if order["status"] == "complete":
            assert ended.other.status_code == 409, "a paid order cannot be cancelled"
            assert paid == ["captured"]
            return "paid"
        assert (ended.other.status_code, order["status"], order["reason"]) == (204, "cancelled", "buyer")
        assert set(paid) <= {"voided"}
        return "cancelled too late for the bank" if paid else "cancelled first"

    await play(market, pair, once, outcome, wanted={"paid", "cancelled too late for the bank", "cancelled first"})


async def test_pay_against_expire(market: InProcessMarket) -> None:
    pair, buyer = Pair(SEED), market.people[2]

    async def once() -> Round:
        order_id = await market.order(buyer)
        left = ((await market.document("orders", "orders", _id=order_id))["expires_at"] - utc_now()).total_seconds()
        await asyncio.sleep(max(0.0, left - pair.moment()))
        paid = await pair.timed(lambda: market.pay(buyer, order_id))
        return Round(order_id, paid, paid)

    async def outcome(ended: Round) -> str:
        order = await market.document("orders", "orders", _id=ended.order_id)
        paid = [payment["status"] for payment in await payments_of(market, ended)]
        if order["status"] == "complete":
            assert paid == ["captured"]
            return "paid"
        assert (order["status"], order["reason"]) == ("cancelled", "expired")
        assert set(paid) <= {"voided"}
        return "expired"

    market.give_buyers(2)
    try:
        await play(market, pair, once, outcome, wanted={"paid", "expired"}, at_once=30)
    finally:
        market.give_buyers(900)


async def test_a_double_click_on_pay(market: InProcessMarket) -> None:
    """Two replicas answer; the second click joins the first, or comes when all is done."""
    pair, buyer = Pair(SEED), market.people[3]

    async def once() -> Round:
        order_id = await market.order(buyer)
        clicks = [lambda replica=replica: market.pay(buyer, order_id, replica=replica) for replica in (0, 1)]
        return Round(order_id, *await pair.run(*clicks))

    async def outcome(ended: Round) -> str:
        payment = await market.document("payments", "payments", order_id=ended.order_id)
        assert payment["status"] == "captured"
        answers = {answer.status_code for answer in (ended.one, ended.other)}
        assert answers <= ANSWERS
        ids = {answer.json()["id"] for answer in (ended.one, ended.other) if answer.status_code == 201}
        assert ids <= {payment["_id"]}
        return "joined" if answers == {201} else "second turned away"

    await play(market, pair, once, outcome, wanted={"joined", "second turned away"})


async def test_two_tabs_pay_with_two_cards(market: InProcessMarket) -> None:
    pair, buyer = Pair(SEED), market.people[4]
    other_card = await market.bank.card("5555555555554444")

    async def once() -> Round:
        order_id = await market.order(buyer)
        return Round(
            order_id,
            *await pair.run(
                lambda: market.pay(buyer, order_id, GOOD_CARD),
                lambda: market.pay(buyer, order_id, other_card, replica=1),
            ),
        )

    async def outcome(ended: Round) -> str:
        (payment,) = [one for one in await payments_of(market, ended) if one["status"] != "voided"]
        assert payment["status"] == "captured"
        assert {answer.status_code for answer in (ended.one, ended.other)} <= ANSWERS
        return "first card" if payment["payment_method_id"] == GOOD_CARD else "second card"

    await play(market, pair, once, outcome, wanted={"first card", "second card"})


async def test_a_webhook_against_the_http_answer(market: InProcessMarket) -> None:
    """The webhook goes to the other replica, and may be done with before Stripe's answer reaches the first."""
    pair, buyer = Pair(SEED), market.people[5]
    first: dict[str, str] = {}

    async def hold_up_the_answer(call: Any, intent: Any) -> None:
        if call.path.endswith("/confirm"):
            await asyncio.sleep(max(0.0, pair.moment()))
            order_id = intent["metadata"]["order_id"]
            payment = await market.document("payments", "payments", order_id=order_id)
            first[order_id] = "answer" if payment["status"] == "initiated" else "webhook"

    async def once() -> Round:
        # Not the payment's own duration: what holds it up would then grow with itself.
        order_id = await pair.timed(lambda: market.order(buyer))
        paid = await market.pay(buyer, order_id)
        return Round(order_id, paid, paid)

    async def outcome(ended: Round) -> str:
        payment = await market.document("payments", "payments", order_id=ended.order_id)
        assert payment["status"] == "captured"
        assert ended.one.status_code in ANSWERS, ended.one.text
        assert ended.one.status_code != 201 or ended.one.json()["id"] == payment["_id"]
        return first[ended.order_id]

    market.proxy.before_answer = hold_up_the_answer
    try:
        await play(market, pair, once, outcome, wanted={"answer", "webhook"})
    finally:
        market.proxy.before_answer = None
