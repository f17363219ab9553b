import asyncio
from collections import Counter
from contextlib import nullcontext
from typing import Final

import pytest

from ticketing_common.entity import new_id
from ticketing_common.events import TicketData

from .conftest import RunningOrders

pytestmark = pytest.mark.asyncio(loop_scope="module")

BUYERS: Final = 50


async def _rush(api: RunningOrders, ticket_id: str) -> Counter[int]:
    """Fifty buyers request the same ticket concurrently; returns how often each status occurred."""
    buyers = [new_id() for _ in range(BUYERS)]
    answers = await asyncio.gather(*(api.hold(ticket_id, user_id=buyer) for buyer in buyers))
    return Counter(answer.status_code for answer in answers)


async def test_of_fifty_buyers_at_once_exactly_one_holds_the_ticket(api: RunningOrders, ticket: TicketData) -> None:
    assert await _rush(api, ticket.id) == {201: 1, 409: BUYERS - 1}
    assert await api.repository.collection.count_documents({"ticket.id": ticket.id}) == 1


@pytest.fixture
def without_memory(api: RunningOrders, monkeypatch: pytest.MonkeyPatch) -> None:
    """No request waits for another or is refused from memory: all fifty reach the database."""
    held = api.app.state.hold_cache
    monkeypatch.setattr(held, "lock", lambda _ticket_id: nullcontext())
    monkeypatch.setattr(held, "is_held_by_another", lambda *_, **__: False)


async def test_the_index_decides_when_all_come_to_the_database(
    api: RunningOrders, ticket: TicketData, without_memory: None
) -> None:
    assert await _rush(api, ticket.id) == {201: 1, 409: BUYERS - 1}


async def test_without_the_index_the_ticket_would_be_oversold(
    api: RunningOrders, ticket: TicketData, without_memory: None
) -> None:
    """The negative control: it is the index that decides, and nothing else."""
    await api.repository.collection.drop_index("one_active_order_per_seat")
    try:
        assert (await _rush(api, ticket.id))[201] > 1
    finally:
        await api.repository.collection.delete_many({"ticket.id": ticket.id})
        await api.repository.ensure_indexes()
