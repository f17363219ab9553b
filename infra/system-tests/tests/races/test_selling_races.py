"""A seller's changes against a buyer's order: in any order, both responses are correct."""

import pytest

from ticketing_system.in_process import InProcessMarket

from .racing import Pair, Round, play

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]

SEED = 20_261_123
BEFORE, AFTER = 25.5, 99.99


async def test_delete_against_order(market: InProcessMarket) -> None:
    pair, seller, buyer = Pair(SEED), market.people[6], market.people[7]

    async def once() -> Round:
        ticket_id = await market.list_ticket(seller)
        return Round(
            ticket_id,
            *await pair.run(lambda: market.delete(seller, ticket_id), lambda: market.hold(buyer, ticket_id)),
        )

    async def outcome(ended: Round) -> str:
        ticket = await market.document("tickets", "tickets", _id=ended.key)
        if ended.buyer.status_code == 404:
            assert (ended.seller.status_code, ticket["status"]) == (204, "deleted")
            return "deleted first"
        assert ended.buyer.status_code == 201
        order = await market.document("orders", "orders", _id=ended.buyer.json()["id"])
        if ended.seller.status_code == 409:
            assert (ticket["status"], ticket["order_id"], order["status"]) == ("held", order["_id"], "created")
            return "held first"
        assert (ended.seller.status_code, ticket["status"]) == (204, "deleted")
        assert (order["status"], order["reason"]) == ("cancelled", "ticket_gone")
        return "deleted while the order was on its way"

    wanted = {"held first", "deleted while the order was on its way", "deleted first"}
    await play(market, pair, once, outcome, wanted=wanted)


async def test_a_price_change_against_an_order(market: InProcessMarket) -> None:
    """The order keeps the price that the buyer was shown, and that price is charged."""
    pair, seller, buyer = Pair(SEED), market.people[8], market.people[9]

    async def once() -> Round:
        ticket_id = await market.list_ticket(seller, BEFORE)
        edited, held = await pair.run(
            lambda: market.edit(seller, ticket_id, AFTER), lambda: market.hold(buyer, ticket_id)
        )
        (await market.pay(buyer, held.json()["id"])).raise_for_status()
        return Round(ticket_id, edited, held)

    async def outcome(ended: Round) -> str:
        shown = ended.buyer.json()["ticket"]["price"]
        order = await market.document("orders", "orders", _id=ended.buyer.json()["id"])
        payment = await market.document("payments", "payments", order_id=order["_id"])
        ticket = await market.document("tickets", "tickets", _id=ended.key)
        assert order["ticket"]["price_cents"] == payment["amount_cents"] == round(shown * 100)
        assert (order["status"], payment["status"], ticket["status"]) == ("complete", "captured", "sold")
        if ended.seller.status_code == 409:
            assert (shown, ticket["price_cents"]) == (BEFORE, 2_550)
            return "held first"
        assert (ended.seller.status_code, ticket["price_cents"]) == (200, 9_999)
        return "edited first" if shown == AFTER else "edited while the order was on its way"

    wanted = {"held first", "edited while the order was on its way", "edited first"}
    await play(market, pair, once, outcome, wanted=wanted)
