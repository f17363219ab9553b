"""The marketplace in one process: every service that an order meets, on one bus, over real servers."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, Final, Self

import httpx
import pytest
from aiohttp import web
from fastapi import FastAPI

import ticketing_expiration.app
import ticketing_expiration.settings
import ticketing_expiration.worker
import ticketing_orders.app
import ticketing_orders.settings
import ticketing_payments.app
import ticketing_payments.settings
import ticketing_tickets.app
import ticketing_tickets.settings
from ticketing_common.entity import new_id
from ticketing_common.storage import Collection, DatabaseClient, connect
from ticketing_common.testing.apps import Bus, Identity, run_app, service_settings_for
from ticketing_common.testing.bank import Bank
from ticketing_common.testing.stripe_proxy import StripeProxy
from ticketing_common.testing.stripe_webhooks import Endpoint
from ticketing_local.audit import AuditAddresses, Violation, audit
from ticketing_local.audit.addresses import SERVICES
from ticketing_local.audit.bus import CONSUMERS

__all__ = ["GOOD_CARD", "Market", "Servers"]

GOOD_CARD: Final = "pm_card_visa"
PEOPLE: Final = 20
QUIET_SECONDS: Final = 90.0
OUTBOXES: Final = (
    ("tickets", "tickets"),
    ("orders", "orders"),
    ("payments", "payments"),
    ("expiration", "deadlines"),
)


@dataclass(frozen=True)
class Servers:
    """The addresses of what the services stand on, and who signs people in."""

    mongo_url: str
    nats_url: str
    redis_url: str
    stripe_url: str
    identity: Identity


class Market:
    """Two replicas of payments, one of everything else; auth is only a list of people and their tokens."""

    def __init__(self, servers: Servers, mongo: DatabaseClient, proxy: StripeProxy, bus: Bus) -> None:
        self.servers, self.proxy, self.bus = servers, proxy, bus
        self.stripe_key, self.webhook_secret = f"sk_test_{token_hex(12)}", f"whsec_{token_hex(16)}"
        self.bank = Bank(servers.stripe_url, self.stripe_key)
        mark = token_hex(4)
        self.databases = {service: f"market_{mark}_{service}" for service in SERVICES}
        self.people = [new_id() for _ in range(PEOPLE)]
        self._headers = {person: servers.identity.headers(person) for person in self.people}
        self._mongo = mongo
        self.tickets: httpx.AsyncClient
        self.orders: httpx.AsyncClient
        self.payments: list[httpx.AsyncClient] = []
        self._orders_app: FastAPI

    @classmethod
    @asynccontextmanager
    async def open(
        cls, servers: Servers, monkeypatch: pytest.MonkeyPatch, *, reconcile_seconds: float = 1
    ) -> AsyncIterator[Self]:
        """Start everything in the running event loop, and leave nothing behind."""
        # Nobody learns anything from a longer wait before the worker looks again for what is due.
        monkeypatch.setattr(ticketing_expiration.worker, "SWEEP_SECONDS", 0.1)
        mongo = connect(servers.mongo_url, application="market")
        async with AsyncExitStack() as open_until_the_end:
            enter = open_until_the_end.enter_async_context
            open_until_the_end.callback(mongo.close)
            proxy = await enter(StripeProxy.start(servers.stripe_url, chance=random.Random(20_261_123)))
            market = cls(servers, mongo, proxy, await enter(Bus.connect(servers.nats_url)))
            open_until_the_end.push_async_callback(market._forget)
            for app in market._build(reconcile_seconds):
                client = await enter(run_app(app))
                client.timeout = httpx.Timeout(60)
                market._keep(app, client)
            await market.collection("auth", "users").insert_many([{"_id": person} for person in market.people])
            await enter(market._door_for_webhooks())
            yield market

    # --- what people do ------------------------------------------------------------------------------------------

    async def list_ticket(self, seller: str, price: float = 25.5, quantity: int = 1) -> str:
        """A new ticket on sale; its id."""
        body = {"title": "Seat", "price": price, "quantity": quantity}
        answer = await self.tickets.post("/api/tickets", json=body, headers=self.as_(seller))
        answer.raise_for_status()
        return str(answer.json()["id"])

    async def edit(self, seller: str, ticket_id: str, price: float, quantity: int | None = None) -> httpx.Response:
        body = {"title": "Seat", "price": price} | ({} if quantity is None else {"quantity": quantity})
        return await self.tickets.put(f"/api/tickets/{ticket_id}", json=body, headers=self.as_(seller))

    async def delete(self, seller: str, ticket_id: str) -> httpx.Response:
        return await self.tickets.delete(f"/api/tickets/{ticket_id}", headers=self.as_(seller))

    async def hold(self, buyer: str, ticket_id: str, quantity: int = 1) -> httpx.Response:
        body = {"ticketId": ticket_id, "quantity": quantity}
        return await self.orders.post("/api/orders", json=body, headers=self.as_(buyer))

    async def order(self, buyer: str, price: float = 25.5) -> str:
        """An order of a ticket of its own; its id."""
        answer = await self.hold(buyer, await self.list_ticket(self.people[0], price))
        answer.raise_for_status()
        return str(answer.json()["id"])

    async def cancel(self, buyer: str, order_id: str) -> httpx.Response:
        return await self.orders.delete(f"/api/orders/{order_id}", headers=self.as_(buyer))

    async def pay(self, buyer: str, order_id: str, card: str = GOOD_CARD, *, replica: int = 0) -> httpx.Response:
        body = {"orderId": order_id, "paymentMethodId": card}
        return await self.payments[replica].post("/api/payments", json=body, headers=self.as_(buyer))

    def as_(self, person: str) -> dict[str, str]:
        """The headers of this person's requests."""
        return self._headers[person]

    # --- what can be seen from behind ----------------------------------------------------------------------------

    def collection(self, service: str, name: str) -> Collection:
        """A collection of a service's database."""
        return self._mongo[self.databases[service]][name]

    async def documents(self, service: str, name: str, **query: Any) -> list[dict[str, Any]]:
        """What is stored, without events."""
        return await self.collection(service, name).find(query, {"outbox": 0}).to_list(None)

    def give_buyers(self, seconds: float) -> None:
        """From now on a hold lasts that long."""
        service = self._orders_app.state.service
        service._settings = service._settings.model_copy(update={"reservation_window_seconds": seconds})

    async def quiet(self) -> None:
        """Return when all is told and handled, so that nothing changes any more by itself; raises TimeoutError.

        Twice in a row, with no event in between: what was on its way between two looks has left one by then.
        """
        before = None
        async with asyncio.timeout(QUIET_SECONDS):
            while True:
                await self.proxy.webhooks.delivered()
                now = await self._events_so_far() if not await self._busy() else None
                if now is not None and now == before:
                    return
                before = now
                await asyncio.sleep(0.02)

    async def violations(self) -> list[Violation]:
        """What `ticketing audit` finds, with no time allowed for anything to be on its way."""
        addresses = AuditAddresses(
            mongo_urls=dict.fromkeys(SERVICES, self.servers.mongo_url),
            databases=self.databases,
            nats_url=self.servers.nats_url,
            stripe_url=self.servers.stripe_url,
            stripe_key=self.stripe_key,
        )
        return await audit(addresses, grace_seconds=0, stripe_all=True)

    async def _busy(self) -> bool:
        for service, name in OUTBOXES:
            if await self.collection(service, name).find_one({"outbox.at": {"$exists": True}}, {"_id": 1}):
                return True
        for stream, durable in CONSUMERS:
            info = await self.bus.js.consumer_info(stream, durable)
            if info.num_pending or info.num_ack_pending:
                return True
        return False

    async def _events_so_far(self) -> list[int]:
        streams = dict.fromkeys(stream for stream, _ in CONSUMERS)
        return [(await self.bus.js.stream_info(stream)).state.last_seq for stream in streams]

    # --- how it is put together ----------------------------------------------------------------------------------

    def _build(self, reconcile_seconds: float) -> list[FastAPI]:
        """The applications, in the order in which `_keep` takes them."""

        def settings(service: str, **own: Any) -> dict[str, Any]:
            common = service_settings_for(
                mongo_url=self.servers.mongo_url,
                database=self.databases[service],
                nats_url=self.servers.nats_url,
                identity=self.servers.identity,
            )
            return {**common, "overtake_wait_seconds": 20, "log_level": "error", **own}

        stripe = {
            "stripe_key": self.stripe_key,
            "stripe_webhook_secret": self.webhook_secret,
            "stripe_api_base": self.proxy.url,
            "stripe_timeout_seconds": 30,
            "reconcile_seconds": reconcile_seconds,
            "rate_limit_payments": "off",
        }
        payments = ticketing_payments.settings.Settings.model_validate(settings("payments", **stripe))
        expiration = ticketing_expiration.settings.Settings.model_validate(
            settings("expiration", redis_url=self.servers.redis_url)
        )
        return [
            ticketing_tickets.app.create_app(
                ticketing_tickets.settings.Settings.model_validate(settings("tickets", rate_limit_listings="off"))
            ),
            ticketing_orders.app.create_app(
                ticketing_orders.settings.Settings.model_validate(settings("orders", rate_limit_holds="off"))
            ),
            ticketing_payments.app.create_app(payments),
            ticketing_payments.app.create_app(payments),
            ticketing_expiration.app.create_app(expiration),
            ticketing_expiration.worker.create_worker(expiration),
        ]

    def _keep(self, app: FastAPI, client: httpx.AsyncClient) -> None:
        match app.title:
            case "Tickets":
                self.tickets = client
            case "Orders":
                self.orders, self._orders_app = client, app
            case "Payments":
                self.payments.append(client)

    @asynccontextmanager
    async def _door_for_webhooks(self) -> AsyncIterator[None]:
        """Stripe calls from outside, so the second replica of payments gets an address."""

        async def hand_on(request: web.Request) -> web.Response:
            answer = await self.payments[1].post(
                "/api/payments/webhook",
                content=await request.read(),
                headers={name: request.headers[name] for name in ("Content-Type", "Stripe-Signature")},
            )
            return web.Response(status=answer.status_code)

        app = web.Application()
        app.router.add_post("/", hand_on)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address = "http://{}:{}/".format(*runner.addresses[0])
        self.proxy.webhooks.endpoints.append(Endpoint(address, self.webhook_secret))
        try:
            yield
        finally:
            self.proxy.webhooks.endpoints.clear()
            await self.proxy.webhooks.delivered()
            await runner.cleanup()

    async def _forget(self) -> None:
        await self.bank.close()
        for database in self.databases.values():
            await self._mongo.drop_database(database)
