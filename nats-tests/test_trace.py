"""One trace from the request to the last handler."""

from typing import Any

from event_system import EventSystem

from ticketing_common.events import TicketEvent
from ticketing_common.telemetry import current_trace_id
from ticketing_common.topology import TICKETS
from ticketing_testkit.apps import Identity, run_app
from ticketing_testkit.waiting import until
from ticketing_tickets.app import create_app
from ticketing_tickets.settings import Settings

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


async def test_the_trace_of_a_request_is_in_the_outbox_the_message_and_the_handler(
    system: EventSystem, service_settings: dict[str, Any], identity: Identity
) -> None:
    received: dict[str, str | None] = {}

    async def note(event: TicketEvent) -> None:
        received[event.data.id] = current_trace_id()

    await system.subscriber("orders", before=note)
    database = system.settings("tickets").mongo_database
    app = create_app(Settings.model_validate({**service_settings, "mongo_database": database}))
    async with run_app(app) as client:
        body = {"title": "A seat", "price": 10}
        headers = {**identity.headers(), "traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01"}
        traced = (await client.post("/api/tickets", json=body, headers=headers)).json()["id"]
        other = (await client.post("/api/tickets", json=body, headers=identity.headers())).json()["id"]

        async def both() -> bool:
            return received.keys() == {traced, other}

        await until(both)

    assert received[traced] == TRACE_ID
    assert received[other] != TRACE_ID
    messages = [await system.observer.js.get_msg(TICKETS, sequence) for sequence in (1, 2)]
    by_ticket = {str(message.subject).rpartition(".")[2]: message for message in messages}
    assert (by_ticket[traced].headers or {})["traceparent"].split("-")[1] == TRACE_ID
    assert TRACE_ID in (by_ticket[traced].data or b"").decode()
