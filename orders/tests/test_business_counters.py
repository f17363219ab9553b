"""Business metrics count each fact once, also when its event is redelivered."""

from typing import Any

import pytest
from prometheus_client import REGISTRY

from ticketing_common.entity import new_id
from ticketing_common.events import PaymentStatus, TicketData

from .conftest import MakePayment, RunningOrders

pytestmark = pytest.mark.asyncio(loop_scope="module")


def counted() -> dict[str, float]:
    labels = {"orders_cancelled_total": {"reason": "buyer"}}
    names = ("holds_placed_total", "holds_lost_total", "orders_completed_total", "orders_cancelled_total")
    return {name: REGISTRY.get_sample_value(name, labels.get(name, {})) or 0.0 for name in names}


def scans() -> dict[str, float]:
    return {
        outcome: REGISTRY.get_sample_value("checkins_total", {"outcome": outcome}) or 0.0
        for outcome in ("admitted", "used", "void")
    }


async def test_each_scan_is_counted_once_by_its_outcome(
    api: RunningOrders, ticket: TicketData, make_payment: MakePayment
) -> None:
    placed = await api.service.place(ticket.id, user_id=new_id())
    payment = make_payment(placed)
    await api.service.follow_payment(payment)
    (found,) = (await api.call("GET", f"/{placed.id}/passes", user_id=placed.user_id)).json()
    before, key = scans(), {"Idempotency-Key": new_id()}

    async def scan(**options: Any) -> int:
        body = {"code": found["code"]}
        answer = await api.call("POST", "/checkins", user_id=ticket.user_id, json=body, **options)
        return answer.status_code

    assert [await scan(headers=key), await scan(headers=key), await scan()] == [201, 201, 409]
    failed = payment.model_copy(update={"status": PaymentStatus.FAILED, "version": payment.version + 1})
    await api.service.follow_payment(failed)
    assert await scan() == 409
    assert {name: count - before[name] for name, count in scans().items()} == {"admitted": 1, "used": 1, "void": 1}


async def test_a_hold_a_loss_and_a_cancellation_are_counted_once_each(api, ticket):
    before = counted()
    buyer = new_id()
    order = (await api.hold(ticket.id, user_id=buyer)).json()["id"]
    assert (await api.hold(ticket.id, user_id=new_id())).status_code == 409
    for _ in range(2):
        assert (await api.call("DELETE", f"/{order}", user_id=buyer)).status_code == 204
    after = counted()
    assert {name: after[name] - before[name] for name in after} == {
        "holds_placed_total": 1,
        "holds_lost_total": 1,
        "orders_completed_total": 0,
        "orders_cancelled_total": 1,
    }
