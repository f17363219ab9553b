"""The limits on one account's open holds and on repeated holds of one ticket, over all replicas."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import OrderReason, OrderStatus, PaymentStatus
from ticketing_common.storage import Database
from ticketing_orders.errors import TicketReservedError, TooManyHoldsError, TooManyReholdsError
from ticketing_orders.repository import OrderRepository
from ticketing_orders.service import OrderService

from .conftest import MakePayment, MakeSettings, MakeTicket, Replica, RunningOrders

MakeReplica = Callable[..., OrderService]


@pytest.fixture
def replica(orders: OrderRepository, database: Database, settings: MakeSettings) -> MakeReplica:
    """The use cases of a further replica on this test's database."""

    def make(**limits: object) -> OrderService:
        return Replica(database, settings(**limits), orders).service

    return make


@pytest.fixture
async def listed(service: OrderService, make_ticket: MakeTicket) -> list[str]:
    """Thirty tickets on sale."""
    tickets = [make_ticket() for _ in range(30)]
    for ticket in tickets:
        await service.follow_ticket(ticket)
    return [ticket.id for ticket in tickets]


async def attempt(service: OrderService, ticket_id: str, user_id: str) -> str:
    try:
        await service.place(ticket_id, user_id=user_id)
    except (TooManyHoldsError, TooManyReholdsError, TicketReservedError) as error:
        return type(error).__name__
    return "held"


async def test_of_30_holds_at_once_at_two_replicas_an_account_gets_ten(replica: MakeReplica, listed: list[str]) -> None:
    one, other, buyer = replica(), replica(), new_id()
    outcomes = await asyncio.gather(
        *(attempt((one, other)[number % 2], ticket_id, buyer) for number, ticket_id in enumerate(listed))
    )
    assert Counter(outcomes) == {"held": 10, "TooManyHoldsError": 20}
    assert await attempt(one, listed[outcomes.index("TooManyHoldsError")], new_id()) == "held"


async def test_without_the_index_the_limit_would_be_passed(
    replica: MakeReplica, orders: OrderRepository, listed: list[str]
) -> None:
    """The negative control: nothing else keeps two requests from the same slot."""
    await orders.collection.drop_index("one_open_hold_per_slot")
    service, buyer = replica(), new_id()
    outcomes = await asyncio.gather(*(attempt(service, ticket_id, buyer) for ticket_id in listed))
    assert Counter(outcomes)["held"] > 10


async def test_a_hold_that_ends_in_any_way_frees_its_slot(
    replica: MakeReplica, listed: list[str], make_payment: MakePayment, orders: OrderRepository
) -> None:
    service, buyer = replica(rate_limit_open_holds=2), new_id()
    first = await service.place(listed[0], user_id=buyer)
    second = await service.place(listed[1], user_id=buyer)
    with pytest.raises(TooManyHoldsError) as refused:
        await service.place(listed[2], user_id=buyer)
    assert 880 < refused.value.retry_after_seconds <= 900

    await service.cancel(first.id, user_id=buyer)
    third = await service.place(listed[2], user_id=buyer)
    assert await attempt(service, listed[3], buyer) == "TooManyHoldsError"

    await service.follow_payment(make_payment(second))
    fourth = await service.place(listed[3], user_id=buyer)
    assert await attempt(service, listed[4], buyer) == "TooManyHoldsError"

    past = utc_now() - timedelta(seconds=1)
    await orders.collection.update_one({"_id": third.id}, {"$set": {"expires_at": past}})
    await service.expire(third.id, deadline=utc_now())
    assert await attempt(service, listed[4], buyer) == "held"
    assert (await orders.get(fourth.id)).status is OrderStatus.CREATED


async def test_cancelling_and_holding_again_is_limited(replica: MakeReplica, listed: list[str]) -> None:
    service, buyer = replica(), new_id()
    for _ in range(4):
        order = await service.place(listed[0], user_id=buyer)
        await service.cancel(order.id, user_id=buyer)
    with pytest.raises(TooManyReholdsError) as refused:
        await service.place(listed[0], user_id=buyer)
    assert 6 * 3_600 - 60 < refused.value.retry_after_seconds <= 6 * 3_600
    assert await attempt(service, listed[1], buyer) == "held"
    assert await attempt(service, listed[0], new_id()) == "held"


async def test_renewing_in_parallel_at_two_replicas_gets_no_more_turns(replica: MakeReplica, listed: list[str]) -> None:
    buyer = new_id()
    held = 0

    async def renew(service: OrderService) -> None:
        nonlocal held
        for _ in range(10):
            try:
                order = await service.place(listed[0], user_id=buyer)
            except (TooManyReholdsError, TicketReservedError):
                continue
            held += 1
            await service.cancel(order.id, user_id=buyer)

    await asyncio.gather(*(renew(service) for service in (replica(), replica(), replica())))
    assert held == 4


async def test_a_buyer_may_hold_again_when_the_window_has_passed_or_the_hold_was_paid(
    replica: MakeReplica, orders: OrderRepository, listed: list[str], make_payment: MakePayment
) -> None:
    service, buyer = replica(rate_limit_reholds="2/hour"), new_id()
    for _ in range(2):
        order = await service.place(listed[0], user_id=buyer)
        await service.cancel(order.id, user_id=buyer)
    assert await attempt(service, listed[0], buyer) == "TooManyReholdsError"

    an_hour_ago = utc_now() - timedelta(hours=1, seconds=1)
    await orders.collection.update_one({"_id": order.id}, {"$set": {"created_at": an_hour_ago}})
    third = await service.place(listed[0], user_id=buyer)
    payment = make_payment(third)
    await service.follow_payment(payment)
    await service.follow_payment(payment.model_copy(update={"version": 3, "status": PaymentStatus.FAILED}))
    paid = await orders.get(third.id)
    assert (paid.status, paid.reason) == (OrderStatus.CANCELLED, OrderReason.PAYMENT_FAILED)
    assert await attempt(service, listed[0], buyer) == "held"


async def test_a_repeated_request_has_its_order_though_no_slot_is_left(replica: MakeReplica, listed: list[str]) -> None:
    service, buyer, order_id = replica(rate_limit_open_holds=1), new_id(), new_id()
    order = await service.place(listed[0], user_id=buyer, order_id=order_id)
    again = await service.place(listed[0], user_id=buyer, order_id=order_id)
    assert (again.id, again.version) == (order.id, order.version)


async def test_orders_without_slots_and_replicas_without_limits_keep_working(
    replica: MakeReplica, listed: list[str], orders: OrderRepository
) -> None:
    unlimited, buyer = replica(rate_limit_holds="off"), new_id()
    for ticket_id in listed[:12]:
        order = await unlimited.place(ticket_id, user_id=buyer)
        assert (order.slot, order.turn) == (None, None)
    await orders.collection.update_many({"user_id": buyer}, {"$unset": {"slot": 1, "turn": 1}})
    assert await attempt(replica(), listed[12], buyer) == "held"
    assert await attempt(replica(), listed[0], buyer) == "TicketReservedError"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_refusal_is_a_429_that_says_when_to_come_again_and_is_not_kept(
    api: RunningOrders, make_ticket: MakeTicket
) -> None:
    buyer, ticket = new_id(), make_ticket()
    await api.service.follow_ticket(ticket)
    for _ in range(4):
        order = (await api.hold(ticket.id, user_id=buyer)).json()
        assert (await api.call("DELETE", f"/{order['id']}", user_id=buyer)).status_code == 204
    headers = {"Idempotency-Key": new_id()}
    for _ in range(2):
        refused = await api.call("POST", user_id=buyer, json={"ticketId": ticket.id}, headers=headers)
        api.assert_problem(refused, 429)
        assert int(refused.headers["Retry-After"]) > 0
        assert "Idempotency-Replayed" not in refused.headers
