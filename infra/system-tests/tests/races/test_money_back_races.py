"""A seller's call-off and refund, and changes at Stripe, against what buyers do: no buyer is charged without seats.

The last test lets the orders of all of them become old.
"""

from collections.abc import Hashable
from typing import Any

import httpx
import pytest

from ticketing_system.in_process import InProcessMarket
from ticketing_testkit.waiting import until

from .racing import Pair, Round, play

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]

SEED = 20_261_129
CENTS = 2_550
PAYMENTS_KNOWS = (("payments", "orders"), ("payments", "payments"))


async def has_payment(market: InProcessMarket, order_id: str, status: str, **fields: Any) -> bool:
    """Whether a payment of the order has this status, and these fields."""
    return bool(await market.documents("payments", "payments", order_id=order_id, status=status, **fields))


async def captured(market: InProcessMarket, buyer: str, order_id: str) -> dict[str, Any]:
    """Pay for this order; the payment once it is captured."""
    (await market.pay(buyer, order_id)).raise_for_status()
    await until(lambda: has_payment(market, order_id, "captured"))
    return await market.document("payments", "payments", order_id=order_id)


async def test_money_that_goes_back_at_stripe_ends_the_order_when_none_is_left(market: InProcessMarket) -> None:
    buyer = market.people[16]
    (endpoint,) = market.proxy.webhooks.endpoints
    await market.bank.send_webhooks(endpoint.url, endpoint.secret)
    order_id, disputed_id, lost_id = [await market.order(buyer) for _ in range(3)]
    payment, disputed, lost = [await captured(market, buyer, one) for one in (order_id, disputed_id, lost_id)]

    async def shows(one: dict[str, Any], order_status: str, **expected: Any) -> None:
        async def reached() -> bool:
            row = await market.document("payments", "payments", _id=one["_id"])
            order = await market.document("orders", "orders", _id=one["order_id"])
            return {name: row[name] for name in expected} == expected and order["status"] == order_status

        await until(reached)

    await market.bank.refund(payment["stripe_id"], 1_000)
    dispute = await market.bank.dispute(disputed["stripe_id"])
    to_lose = await market.bank.dispute(lost["stripe_id"])
    await shows(payment, "complete", status="captured", refunded_cents=1_000)
    await shows(disputed, "complete", status="captured", disputed=True)
    await shows(lost, "complete", status="captured", disputed=True)
    await market.settle()
    found = {violation.invariant for violation in await market.violations()}
    assert found == {"refunded_in_part", "dispute_open"}

    await market.bank.refund(payment["stripe_id"])
    await market.bank.decide(dispute["id"], "won")
    await market.bank.decide(to_lose["id"], "lost")
    await shows(payment, "cancelled", status="refunded", refunded_cents=CENTS)
    await shows(disputed, "complete", status="captured", disputed=False)
    await shows(lost, "cancelled", status="refunded", disputed=False)
    for one in (order_id, lost_id):
        assert (await market.document("orders", "orders", _id=one))["reason"] == "refunded"
    await market.settle()
    assert await market.violations() == []


async def test_calling_off_against_a_hold(market: InProcessMarket) -> None:
    """A hold that was stored after orders had ended the others ends too."""
    pair, seller, buyer = Pair(SEED), market.people[10], market.people[11]

    async def once() -> Round:
        ticket_id = await market.list_ticket(seller)
        sides = await pair.run(lambda: market.call_off(seller, ticket_id), lambda: market.hold(buyer, ticket_id))
        return Round(ticket_id, *sides)

    async def outcome(ended: Round) -> Hashable:
        assert ended.seller.status_code == 200, ended.seller.text
        ticket = await market.document("tickets", "tickets", _id=ended.key)
        assert (ticket["status"], ticket["held"], ticket["sold"]) == ("cancelled", 0, 0)
        if ended.buyer.status_code == 409:
            return "called off first"
        assert ended.buyer.status_code == 201, ended.buyer.text
        order = await market.document("orders", "orders", _id=ended.buyer.json()["id"])
        assert (order["status"], order["reason"]) == ("cancelled", "event_cancelled")
        return "held first"

    await play(market, pair, once, outcome, wanted={"called off first", "held first"})


async def test_calling_off_against_a_payment(market: InProcessMarket) -> None:
    pair, seller, buyer = Pair(SEED), market.people[12], market.people[13]

    async def once() -> Round:
        ticket_id = await market.list_ticket(seller)
        held = await market.hold(buyer, ticket_id)
        order_id = str(held.json()["id"])
        paid, off = await pair.during(lambda: market.pay(buyer, order_id), lambda: market.call_off(seller, ticket_id))
        return Round(order_id, off, paid)

    async def outcome(ended: Round) -> Hashable:
        assert ended.seller.status_code == 200, ended.seller.text
        order = await market.document("orders", "orders", _id=ended.key)
        assert (order["status"], order["reason"]) == ("cancelled", "event_cancelled")
        payments = await market.documents("payments", "payments", order_id=ended.key)
        states = {payment["status"] for payment in payments}
        assert states <= {"voided", "refunded"}
        for payment in payments:
            assert payment["refunded_cents"] == (CENTS if payment["status"] == "refunded" else 0)
        return "refunded" if "refunded" in states else "voided or not begun"

    await play(market, pair, once, outcome, wanted={"refunded", "voided or not begun"})


async def test_a_refund_by_the_seller_against_one_at_stripe(market: InProcessMarket) -> None:
    """Both end the order as refunded; Stripe gives back the amount once."""
    pair, seller, buyer = Pair(SEED), market.people[14], market.people[15]

    async def at_stripe(stripe_id: str, cents: int) -> httpx.Response:
        try:
            await market.bank.refund(stripe_id, cents)
        except httpx.HTTPStatusError as refused:  # the other refund was faster
            return refused.response
        return httpx.Response(200)

    async def by_seller(order_id: str) -> httpx.Response:
        """Until the money is back: the response comes long before, and would say nothing about how long that takes."""
        answer = await market.refund(seller, order_id)

        await until(lambda: has_payment(market, order_id, "refunded"))
        return answer

    async def once() -> Round:
        ticket_id = await market.list_ticket(seller)
        order_id = str((await market.hold(buyer, ticket_id)).json()["id"])
        payment = await captured(market, buyer, order_id)
        sides = await pair.during(lambda: by_seller(order_id), lambda: at_stripe(payment["stripe_id"], CENTS))
        return Round(order_id, *sides)

    async def outcome(ended: Round) -> Hashable:
        order = await market.document("orders", "orders", _id=ended.key)
        payment = await market.document("payments", "payments", order_id=ended.key)
        assert (order["status"], order["reason"]) == ("cancelled", "refunded")
        assert (payment["status"], payment["refunded_cents"]) == ("refunded", CENTS)
        assert ended.seller.status_code == 202, ended.seller.text
        charge = (await market.bank.intent(payment["stripe_id"]))["latest_charge"]
        assert charge["amount_refunded"] == CENTS
        return "refunded at Stripe" if ended.buyer.status_code == 200 else "refunded by the seller"

    await play(market, pair, once, outcome, wanted={"refunded at Stripe", "refunded by the seller"})


async def test_old_orders_lose_their_people_everywhere_and_the_audit_finds_nothing(market: InProcessMarket) -> None:
    """All that this module has left: sales, unpaid holds, refunds, events that were called off."""
    buyer, loser = market.people[17], market.people[18]
    ticket_id = await market.list_ticket(market.people[0])
    order_id = str((await market.hold(buyer, ticket_id)).json()["id"])
    payment = await captured(market, buyer, order_id)
    unpaid = str((await market.hold(buyer, await market.list_ticket(market.people[0]))).json()["id"])
    (await market.cancel(buyer, unpaid)).raise_for_status()
    await market.settle()
    await market.make_payments_settled()

    await market.forget_people()

    for service, name in (("orders", "orders"), ("orders", "payments"), ("tickets", "orders"), *PAYMENTS_KNOWS):
        documents = await market.documents(service, name)
        assert documents, "the test proves nothing without them"
        named = [document for document in documents if any(person in str(document) for person in market.people)]
        assert named == [], f"{service}.{name}"
    assert (await market.document("tickets", "tickets", _id=ticket_id))["status"] == "sold"
    assert (await market.hold(loser, ticket_id)).status_code == 409
    assert (await market.call(buyer, "orders", "GET", "/api/orders")).json() == []
    assert (await market.call(buyer, "orders", "GET", f"/api/orders/{order_id}")).status_code == 403
    assert await market.violations() == []

    dispute = await market.bank.dispute(payment["stripe_id"])
    await until(lambda: has_payment(market, order_id, "captured", disputed=True))
    await market.bank.decide(dispute["id"], "lost")
    await until(lambda: has_payment(market, order_id, "refunded"))
    await market.settle()
    assert await market.violations() == []
    assert (await market.document("orders", "orders", _id=order_id))["reason"] == "refunded"
