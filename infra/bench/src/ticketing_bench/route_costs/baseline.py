"""The baselines: bare Starlette routes that do what a service's route cannot do without, and nothing else.

No middleware, no validation, no authentication, no events, no metrics.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from pydantic_core import from_json, to_json
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ticketing_bench.seed_data import ticket_on_sale
from ticketing_common.entity import new_id
from ticketing_common.resilience import cancel_and_wait
from ticketing_common.storage import WITHOUT_EVENTS, Document, Outbox, OutboxEntry, connect
from ticketing_common.storage.mongo import without_majority
from ticketing_orders.domain import Order
from ticketing_orders.publishers import order_created
from ticketing_orders.repository import OrderRepository

from .serving import BASELINE, CATALOGUE

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"


class BaselineRoutes:
    """One method a route, over the server and the file that the environment names."""

    def __init__(self) -> None:
        self._page = Path(os.environ["PLAIN_ANSWER"]).read_bytes()
        self._span_bytes = 0

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """Connect to the database."""
        client = connect(os.environ["MONGO_URL"], application="plain")
        self._found = client[CATALOGUE]["tickets"]
        self._tickets, self._orders = client[BASELINE]["tickets"], client[BASELINE]["orders"]
        orders = OrderRepository(Outbox(self._orders))
        await orders.ensure_indexes()  # their update is part of every write
        self._pattern = _order_document(orders)
        self._stored: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        clearing = asyncio.create_task(self._clear_outboxes())
        try:
            yield
        finally:
            await cancel_and_wait(clearing)
            client.close()

    async def ready(self, _request: Request) -> Response:
        """The readiness check of the process."""
        return Response()

    async def page(self, _request: Request) -> Response:
        """The same bytes every time."""
        return Response(self._page, media_type=JSON)

    async def refuse(self, request: Request) -> Response:
        """The same bytes every time, after reading the body."""
        await request.body()
        return Response(self._page, 409, media_type=PROBLEM)

    async def find(self, request: Request) -> Response:
        """One document by its id, with the driver of the services."""
        return _shown(await self._found.find_one({"_id": request.path_params["id"]}, WITHOUT_EVENTS))

    async def hold(self, request: Request) -> Response:
        """Read the ticket, and insert an order that has its event beside it, as the product stores it."""
        ticket = await self._tickets.find_one({"_id": from_json(await request.body())["ticketId"]})
        if ticket is None:
            return Response(status_code=404)
        order_id, event_id = new_id(), new_id()
        order = {
            **self._pattern,
            "_id": order_id,
            "ticket": {**self._pattern["ticket"], "id": ticket["_id"]},
            "outbox": [{**self._pattern["outbox"][0], "id": event_id}],
        }
        await self._orders.insert_one(order)
        self._stored.put_nowait((order_id, event_id))
        del order["outbox"]
        return Response(to_json(order), status_code=201, media_type=JSON)

    async def take_spans(self, request: Request) -> Response:
        """A collector that throws away what it is sent: OTLP over HTTP, whose answer may be empty."""
        self._span_bytes += len(await request.body())
        return Response(media_type="application/x-protobuf")

    async def taken_spans(self, _request: Request) -> Response:
        """How many bytes of spans have come."""
        return Response(to_json(self._span_bytes), media_type=JSON)

    async def _clear_outboxes(self) -> None:
        """The write that the relay makes for every event that is out: one for all that were stored meanwhile."""
        relaxed = without_majority(self._orders)
        while True:
            stored = [await self._stored.get()]
            while not self._stored.empty():
                stored.append(self._stored.get_nowait())
            orders, events = map(list, zip(*stored, strict=True))
            await relaxed.update_many({"_id": {"$in": orders}}, {"$pull": {"outbox": {"id": {"$in": events}}}})


def create_app() -> Starlette:
    """As uvicorn asks for it."""
    baseline = BaselineRoutes()
    return Starlette(
        lifespan=baseline.lifespan,
        routes=[
            Route("/page", baseline.page),
            Route("/refused", baseline.refuse, methods=["POST"]),
            Route("/tickets/{id}", baseline.find),
            Route("/orders", baseline.hold, methods=["POST"]),
            Route("/v1/traces", baseline.take_spans, methods=["POST"]),
            Route("/spans", baseline.taken_spans),
            Route("/readyz", baseline.ready),
        ],
    )


def _shown(document: Any) -> Response:
    return Response(to_json(document), media_type=JSON) if document else Response(status_code=404)


def _order_document(orders: OrderRepository) -> Document:
    """What the product stores for a hold, down to the event's body."""
    order = Order.place(ticket_on_sale(), user_id=new_id(), window_seconds=900)
    order.version = 1
    return {**orders.to_document(order), "outbox": [OutboxEntry.of(order_created(order)).to_document()]}
