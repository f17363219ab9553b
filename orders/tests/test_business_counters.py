"""Business metrics count each fact once, also when its event is redelivered."""

import pytest
from prometheus_client import REGISTRY

from ticketing_common.entity import new_id
from ticketing_common.events import TicketData

from .conftest import RunningOrders

pytestmark = pytest.mark.asyncio(loop_scope="module")


def counted() -> dict[str, float]:
    labels = {"orders_cancelled_total": {"reason": "buyer"}}
    names = ("holds_placed_total", "holds_lost_total", "orders_completed_total", "orders_cancelled_total")
    return {name: REGISTRY.get_sample_value(name, labels.get(name, {})) or 0.0 for name in names}


async def test_a_hold_a_loss_and_a_cancellation_are_counted_once_each(api: RunningOrders, ticket: TicketData) -> None:
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
