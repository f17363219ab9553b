"""The marketplace in one process: every service that an order passes through, over real servers."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from secrets import token_hex
from typing import Any, Final, Self

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from fastapi import FastAPI

import ticketing_auth.app
import ticketing_auth.settings
import ticketing_expiration.app
import ticketing_expiration.settings
import ticketing_expiration.worker
import ticketing_orders.app
import ticketing_orders.settings
import ticketing_payments.app
import ticketing_payments.settings
import ticketing_tickets.app
import ticketing_tickets.settings
from ticketing_common.entity import utc_now
from ticketing_common.storage import DatabaseClient, connect
from ticketing_common.topology import ORDERS, SERVICES
from ticketing_ops.audit import AuditAddresses
from ticketing_orders.repository import OrderRepository
from ticketing_orders.retention import forget_people
from ticketing_payments.repository import OrderProjection, PaymentRepository
from ticketing_payments.retention import PaymentRetention
from ticketing_testkit.apps import Bus, Identity, run_app, service_settings_for
from ticketing_testkit.bank import Bank
from ticketing_testkit.stripe_proxy import StripeProxy
from ticketing_testkit.stripe_webhooks import Endpoint

from .market import Market

PEOPLE: Final = 20


@dataclass(frozen=True)
class Servers:
    """Addresses of the servers, and the key that signs tokens."""

    mongo_url: str
    nats_url: str
    redis_url: str
    stripe_url: str
    identity: Identity


class InProcessMarket(Market):
    """Two replicas of payments, one of everything else, in one event loop; auth is a list of accounts and tokens."""

    def __init__(self, servers: Servers, mongo: DatabaseClient, proxy: StripeProxy, bus: Bus) -> None:
        self.stripe_key, self.webhook_secret = f"sk_test_{token_hex(12)}", f"whsec_{token_hex(16)}"
        mark = token_hex(4)
        addresses = AuditAddresses(
            mongo_urls=dict.fromkeys(SERVICES, servers.mongo_url),
            databases={service: f"market_{mark}_{service}" for service in SERVICES},
            nats_url=servers.nats_url,
            stripe_url=servers.stripe_url,
            stripe_key=self.stripe_key,
        )
        self.tickets: httpx.AsyncClient
        self.orders: httpx.AsyncClient
        self.payments: list[httpx.AsyncClient] = []
        super().__init__({}, mongo, bus.js, addresses, servers.identity.private_key_pem)
        self.servers, self.proxy, self.bus = servers, proxy, bus
        self.bank = Bank(servers.stripe_url, self.stripe_key)
        self.people: list[str] = []
        self._orders_app: FastAPI
        self._payments_apps: list[FastAPI] = []

    @classmethod
    @asynccontextmanager
    async def open(
        cls, servers: Servers, monkeypatch: pytest.MonkeyPatch, *, reconcile_seconds: float = 1
    ) -> AsyncIterator[Self]:
        """Start everything in the running event loop; at the end everything is stopped and removed."""
        # A longer interval between the worker's sweeps would only lengthen the tests.
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
            market.clients = {"tickets": [market.tickets], "orders": [market.orders], "payments": market.payments}
            market.people = [person for person, _ in await market.sign_in(PEOPLE)]
            await enter(market._webhook_endpoint())
            yield market

    async def order(self, buyer: str, price: float = 25.5) -> str:
        """Place an order for a new ticket; returns its id."""
        answer = await self.hold(buyer, await self.list_ticket(self.people[0], price))
        answer.raise_for_status()
        return str(answer.json()["id"])

    def give_buyers(self, seconds: float) -> None:
        """Set how long new holds last, in seconds."""
        service = self._orders_app.state.service
        service._settings = service._settings.model_copy(update={"reservation_window_seconds": seconds})

    async def make_payments_settled(self) -> None:
        """Let the reconciler check every payment that it would check later."""
        payments = self.collection("payments", "payments")
        while await payments.count_documents({"check_at": {"$ne": None}}):
            now = utc_now()
            await payments.update_many({"check_at": {"$gt": now}}, {"$set": {"check_at": now}})
            await asyncio.sleep(0.05)
        await self.settle()

    async def forget_people(self) -> None:
        """Let the times pass after which orders and payments lose their people."""
        later = utc_now() + timedelta(seconds=1)
        orders = OrderRepository(self._orders_app.state.runtime.outbox("orders"))
        await forget_people(orders, unpaid_before=later, sold_before=later, pause_seconds=0)
        await self.settle()
        runtime = self._payments_apps[0].state.runtime
        payments = PaymentRepository(runtime.outbox("payments"))
        await PaymentRetention(payments, OrderProjection(runtime.collection("orders"))).forget_people()
        await self.settle()

    async def _before_sample(self) -> None:
        await self.proxy.webhooks.delivered()
        # Orders refuses holds from what its stream reader has seen, and no consumer's backlog shows that.
        last = (await self.js.stream_info(ORDERS)).state.last_seq
        while self._orders_app.state.feed.position < last:  # noqa: ASYNC110 (the reader has no signal for callers)
            await asyncio.sleep(0.01)

    # --- how it is put together ----------------------------------------------------------------------------------

    def _build(self, reconcile_seconds: float) -> list[FastAPI]:
        """The applications, in the order in which `_keep` takes them."""

        def settings(service: str, **own: Any) -> dict[str, Any]:
            common = service_settings_for(
                mongo_url=self.servers.mongo_url,
                database=self.addresses.databases[service],
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
        auth = settings("auth", jwt_key=self.servers.identity.private_key_pem, redis_url=self.servers.redis_url)
        return [
            ticketing_auth.app.create_app(ticketing_auth.settings.Settings.model_validate(auth)),
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
                self._payments_apps.append(app)

    @asynccontextmanager
    async def _webhook_endpoint(self) -> AsyncIterator[None]:
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
        async with TestServer(app) as server:
            self.proxy.webhooks.endpoints.append(Endpoint(str(server.make_url("/")), self.webhook_secret))
            try:
                yield
            finally:
                self.proxy.webhooks.endpoints.clear()
                await self.proxy.webhooks.delivered()

    async def _forget(self) -> None:
        await self.bank.close()
        for database in self.addresses.databases.values():
            await self.mongo.drop_database(database)
