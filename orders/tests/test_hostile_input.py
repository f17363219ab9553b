"""The cost of hostile input on every route of this service."""

import pytest

from ticketing_common.entity import new_id
from ticketing_testkit.hostile import attempts, findings, fingerprint

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_hostile_input_is_refused_cheaply_and_changes_nothing(api, ticket):
    assert (await api.hold(ticket.id, user_id=new_id())).status_code == 201
    before = await fingerprint(api.app.state.runtime.database)

    assert [finding async for finding in findings(api.app, api.identity.token())] == []
    assert await fingerprint(api.app.state.runtime.database) == before


async def test_every_route_and_place_of_input_is_tried(api):
    tried = {(attempt.operation, attempt.place) for attempt in attempts(api.app, api.identity.token())}

    assert {operation for operation, _ in tried} == {
        *("create_order", "list_orders", "show_order", "stream_order", "cancel_order"),
        *("list_sales", "refund_order"),
    }
    assert {("create_order", "field ticketId"), ("list_orders", "query cursor"), ("show_order", "path id")} <= tried
