"""`ticketing resync orders`: what every projection of orders elsewhere is rebuilt from."""

import json

import nats

from ticketing_common.delivery.resync import resync_subject
from ticketing_common.entity import new_id
from ticketing_common.events import OrderCancelled, OrderCreated
from ticketing_orders.app import create_app
from ticketing_orders.settings import Settings
from ticketing_testkit.apps import Bus, run_app

from .conftest import MakeTicket


async def test_a_resync_publishes_every_order_as_it_is(
    service_settings: dict[str, object], bus: Bus, nats_url: str, make_ticket: MakeTicket
) -> None:
    app = create_app(Settings.model_validate(service_settings))
    async with run_app(app):
        service, buyer, tickets = app.state.service, new_id(), [make_ticket(), make_ticket()]
        for ticket in tickets:
            await service.follow_ticket(ticket)
        held, cancelled = [await service.place(ticket.id, user_id=buyer) for ticket in tickets]
        await service.cancel(cancelled.id, user_id=buyer)
        await bus.expect(OrderCancelled, lambda e: e.data.id == cancelled.id)
        await bus.expect(OrderCreated, lambda e: e.data.id == held.id)
        await bus.js.purge_stream("ORDERS")

        connection = await nats.connect(nats_url)  # as the `ticketing` command does it
        report = await connection.request(resync_subject("orders"), timeout=30)
        await connection.close()

        assert json.loads(report.data) == {"done": True, "restated": 2}
        assert (await bus.expect(OrderCreated, lambda e: e.data.id == held.id)).data.version == 1
        assert (await bus.expect(OrderCancelled, lambda e: e.data.id == cancelled.id)).data.version == 2
