"""What keeps a person from deleting the account: the open orders and the sales of events to come."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from ticketing_auth.obligations import KEPT, Obligations
from ticketing_common.entity import new_id, utc_now
from ticketing_common.events import OrderCompleted, OrderData, OrderReason, OrderStatus, OrderTicket
from ticketing_common.storage import Database
from ticketing_testkit.apps import Bus

from .conftest import RunAuth, RunningAuth

BUYER, SELLER = new_id(), new_id()
TOMORROW = utc_now() + timedelta(days=1)


def order(status: OrderStatus, *, version: int = 1, starts_at: datetime | None = TOMORROW, **changes: Any) -> OrderData:
    fields: dict[str, Any] = {
        "id": new_id(),
        "version": version,
        "status": status,
        "reason": OrderReason.BUYER if status is OrderStatus.CANCELLED else None,
        "user_id": BUYER,
        "expires_at": utc_now() + timedelta(minutes=15),
        "created_at": utc_now(),
        "payment_id": None,
        "ticket": OrderTicket(
            id=new_id(), title="Hamlet", price_cents=100, currency="usd", starts_at=starts_at, user_id=SELLER
        ),
    }
    return OrderData.model_validate(fields | changes)


@pytest.fixture
async def obligations(database: Database) -> Obligations:
    made = Obligations(database["obligations"])
    await made.ensure_indexes()
    return made


async def test_an_unpaid_order_obliges_its_buyer_and_its_seller(obligations: Obligations) -> None:
    placed = order(OrderStatus.CREATED)
    await obligations.follow([placed])
    assert [await obligations.count_holds(one) for one in (BUYER, SELLER, new_id())] == [1, 1, 0]

    await obligations.follow([placed.model_copy(update={"version": 2, "status": OrderStatus.CANCELLED})])
    await obligations.follow([placed])  # an old event comes late

    assert [await obligations.count_holds(one) for one in (BUYER, SELLER)] == [0, 0]


@pytest.mark.parametrize(("starts_at", "count"), [(TOMORROW, 1), (utc_now() - timedelta(days=1), 0), (None, 0)])
async def test_a_sold_seat_obliges_the_seller_until_the_event(
    obligations: Obligations, starts_at: datetime | None, count: int
) -> None:
    await obligations.follow([order(OrderStatus.COMPLETE, starts_at=starts_at)])
    assert await obligations.count_sales_to_come(SELLER) == count
    assert await obligations.count_sales_to_come(BUYER) == 0


async def test_only_ids_and_times_are_stored_and_not_for_ever(obligations: Obligations, database: Database) -> None:
    for one in (order(OrderStatus.CREATED), order(OrderStatus.COMPLETE), order(OrderStatus.CANCELLED)):
        await obligations.follow([one])
    stored = {document["status"]: document async for document in database["obligations"].find()}
    assert all("Hamlet" not in str(document) for document in stored.values())
    assert stored["created"]["forgotten_at"] is None
    assert stored["complete"]["forgotten_at"] == TOMORROW + KEPT
    assert stored["cancelled"]["forgotten_at"] < TOMORROW + KEPT


@pytest.fixture
async def auth(run_auth: RunAuth, bus: Bus) -> AsyncIterator[RunningAuth]:
    async with run_auth(rate_limit_signin="off") as running:
        yield running


async def test_an_account_in_use_cannot_be_deleted_and_the_answer_says_why(auth: RunningAuth) -> None:
    user_id = (await auth.sign_up()).json()["id"]
    obligations = Obligations(auth.app.state.runtime.collection("obligations"))
    held, sold = order(OrderStatus.CREATED, user_id=user_id), order(OrderStatus.COMPLETE)
    sold = sold.model_copy(update={"ticket": sold.ticket.model_copy(update={"user_id": user_id})})
    for one in (held, sold):
        await obligations.follow([one])

    answer = await auth.leave()

    assert answer.status_code == 409
    assert (answer.json()["holds"], answer.json()["sales"]) == (1, 1)
    assert (await auth.current_user()).json()["currentUser"]["id"] == user_id
    for one in (held, sold):
        await obligations.follow([one.model_copy(update={"version": 2, "status": OrderStatus.CANCELLED})])
    assert (await auth.leave()).status_code == 204


async def test_the_orders_come_from_the_bus(auth: RunningAuth, bus: Bus) -> None:
    user_id = (await auth.sign_up()).json()["id"]
    sold = order(OrderStatus.COMPLETE)
    sold = sold.model_copy(update={"ticket": sold.ticket.model_copy(update={"user_id": user_id})})
    await bus.publish(OrderCompleted.of(sold))
    known = await Obligations(auth.app.state.runtime.collection("obligations")).wait_for(sold.id, seconds=60)
    assert known is not None
    assert (await auth.leave()).status_code == 409
