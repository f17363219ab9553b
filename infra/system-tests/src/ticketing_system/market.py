"""Drives a running marketplace over HTTP, and reads its databases and its event bus."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import httpx
from nats.js import JetStreamContext

from ticketing_common.entity import new_id, utc_now
from ticketing_common.security import TokenSigner
from ticketing_common.storage import Collection, DatabaseClient, Document, connect
from ticketing_common.topology import DURABLES, OUTBOXES
from ticketing_local.keys import Keys
from ticketing_local.stack import Stack
from ticketing_ops.audit import AuditAddresses, Violation, audit
from ticketing_ops.audit.bus import connected

GOOD_CARD: Final = "pm_card_visa"
DECLINED_CARD: Final = "pm_card_chargeCustomerFail"
TOKEN_SECONDS: Final = 4 * 3600
SETTLE_SECONDS: Final = 90.0
"""The limit for a busy machine; waiting ends as soon as no event is in transit."""
SAMPLE_SECONDS: Final = 0.02
REPORTED: Final = 5


class UnsettledError(Exception):
    """Events were still in transit when the time was up, or the audit found violations."""


class Market:
    """Signs users in, sells and buys, and waits until every event is published and handled.

    `clients` are the HTTP clients of each service, one per replica.
    """

    def __init__(
        self,
        clients: Mapping[str, Sequence[httpx.AsyncClient]],
        mongo: DatabaseClient,
        js: JetStreamContext,
        addresses: AuditAddresses,
        private_key: str,
    ) -> None:
        self.clients = clients
        self.mongo = mongo
        self.js = js
        self.addresses = addresses
        self._signer = TokenSigner(
            private_key, issuer="https://ticketing.dev", audience="ticketing", lifetime_seconds=TOKEN_SECONDS
        )
        self._tokens: dict[str, str] = {}

    # --- actions over HTTP ---------------------------------------------------------------------------------------

    async def sign_in(self, count: int) -> list[tuple[str, str]]:
        """New accounts: id and token of each. Signed here with the key of auth, without the cost of a password."""
        now, people = utc_now(), [new_id() for _ in range(count)]
        # With every field that auth needs: the mail worker reads the accounts.
        fields = {"password_hash": "", "version": 1, "created_at": now, "updated_at": now, "outbox": []}
        users: list[Document] = [{"_id": one, "email": f"{one}@example.com", **fields} for one in people]
        await self.collection("auth", "users").insert_many(users)
        signed = [(one, self._signer.sign(user_id=one, email=f"{one}@example.com", signed_in_at=now)) for one in people]
        self._tokens.update(signed)
        return signed

    def as_(self, person: str) -> dict[str, str]:
        """The headers of this person's requests."""
        return {"Authorization": f"Bearer {self._tokens[person]}"}

    async def call(
        self, person: str, service: str, method: str, path: str, body: Any = None, *, replica: int = 0
    ) -> httpx.Response:
        """One request. Raises `httpx.TransportError` when the service does not answer."""
        client = self.clients[service][replica]
        return await client.request(method, path, json=body, headers=self.as_(person))

    async def list_ticket(self, seller: str, price: float = 25.5, quantity: int = 1) -> str:
        """A new ticket on sale; its id."""
        body = {"title": "Seat", "price": price, "quantity": quantity}
        answer = await self.call(seller, "tickets", "POST", "/api/tickets", body)
        answer.raise_for_status()
        return str(answer.json()["id"])

    async def edit(self, seller: str, ticket_id: str, price: float, quantity: int | None = None) -> httpx.Response:
        """Another price for a ticket, and another number of seats."""
        body = {"title": "Seat", "price": price} | ({} if quantity is None else {"quantity": quantity})
        return await self.call(seller, "tickets", "PUT", f"/api/tickets/{ticket_id}", body)

    async def delete(self, seller: str, ticket_id: str) -> httpx.Response:
        """Take a ticket off sale."""
        return await self.call(seller, "tickets", "DELETE", f"/api/tickets/{ticket_id}")

    async def hold(self, buyer: str, ticket_id: str, quantity: int = 1) -> httpx.Response:
        """Place an order."""
        body = {"ticketId": ticket_id, "quantity": quantity}
        return await self.call(buyer, "orders", "POST", "/api/orders", body)

    async def call_off(self, seller: str, ticket_id: str) -> httpx.Response:
        """Call the event of a ticket off."""
        return await self.call(seller, "tickets", "POST", f"/api/tickets/{ticket_id}/cancel")

    async def refund(self, seller: str, order_id: str) -> httpx.Response:
        """Refund an order as the seller of its ticket."""
        return await self.call(seller, "orders", "POST", f"/api/orders/{order_id}/refund")

    async def cancel(self, buyer: str, order_id: str) -> httpx.Response:
        """Cancel an order."""
        return await self.call(buyer, "orders", "DELETE", f"/api/orders/{order_id}")

    async def pay(self, buyer: str, order_id: str, card: str | None = GOOD_CARD, *, replica: int = 0) -> httpx.Response:
        """Pay an order; without a card the payment only begins."""
        body = {"orderId": order_id} | ({} if card is None else {"paymentMethodId": card})
        return await self.call(buyer, "payments", "POST", "/api/payments", body, replica=replica)

    # --- databases, bus and audit --------------------------------------------------------------------------------

    def collection(self, service: str, name: str) -> Collection:
        """A collection of a service's database."""
        return self.mongo[self.addresses.database(service)][name]

    async def documents(self, service: str, name: str, **query: Any) -> list[dict[str, Any]]:
        """Stored documents without their outboxes."""
        return await self.collection(service, name).find(query, {"outbox": 0}).to_list(None)

    async def document(self, service: str, name: str, **query: Any) -> dict[str, Any]:
        """The only document that matches."""
        (found,) = await self.documents(service, name, **query)
        return found

    async def backlog(self) -> int:
        """Documents with unpublished events, and events that are not delivered or not acknowledged."""
        count = 0
        for outbox in OUTBOXES:
            count += await self.collection(*outbox).count_documents({"outbox.at": {"$exists": True}})
        for stream, durable in DURABLES:
            info = await self.js.consumer_info(stream, durable)
            count += (info.num_pending or 0) + (info.num_ack_pending or 0)
        return count

    async def settle(self, seconds: float = SETTLE_SECONDS, *, every_seconds: float = SAMPLE_SECONDS) -> float:
        """Wait until nothing changes by itself; returns how long that took, in seconds. Raises `UnsettledError`.

        Two consecutive samples must find no backlog and no new event: the second sample finds an event that moved from
        a part that was already sampled to one that was not.
        """
        loop = asyncio.get_running_loop()
        begun, before = loop.time(), None
        while True:
            await self._before_sample()
            left = await self.backlog()
            now = await self._last_sequences() if left == 0 else None
            if now is not None and now == before:
                return loop.time() - begun
            before = now
            if loop.time() - begun > seconds:
                raise UnsettledError(f"{left} events are still in transit after {seconds:g} s")
            await asyncio.sleep(every_seconds)

    async def violations(self, *, grace_seconds: float = 0, stripe_all: bool = True) -> list[Violation]:
        """The findings of `ticketing audit`; an event may be in transit for `grace_seconds`."""
        return (await audit(self.addresses, grace_seconds=grace_seconds, stripe_all=stripe_all)).violations

    async def check(self, *, grace_seconds: float = 2) -> None:
        """Raises `UnsettledError` with the audit's findings, if there are any."""
        found = await self.violations(grace_seconds=grace_seconds, stripe_all=False)
        if found:
            details = "; ".join(f"{one.invariant}: {one.detail}" for one in found[:REPORTED])
            raise UnsettledError(f"the audit found {len(found)} violations: {details}")

    async def _before_sample(self) -> None:
        """Work that must be done before a sample; none for separate processes."""

    async def _last_sequences(self) -> list[int]:
        streams = dict.fromkeys(stream for stream, _ in DURABLES)
        return [(await self.js.stream_info(stream)).state.last_seq for stream in streams]


@asynccontextmanager
async def market_of(stack: Stack, *, timeout_seconds: float = 20) -> AsyncIterator[Market]:
    """The market of a stack that runs."""
    addresses = stack.state.addresses
    async with AsyncExitStack() as closing:
        clients = {
            service: [
                await closing.enter_async_context(
                    httpx.AsyncClient(base_url=addresses[service], timeout=timeout_seconds)
                )
            ]
            for service in ("auth", "tickets", "orders", "payments")
        }
        mongo = connect(addresses["mongo"], application="ticketing-market", pool_size=8)
        closing.callback(mongo.close)
        bus = await closing.enter_async_context(connected(addresses["nats"]))
        yield Market(
            clients,
            mongo,
            bus.jetstream(timeout=10),
            AuditAddresses.of_stack(stack.state, stack.data),
            Keys.load_or_make(stack.data.path / "keys").jwt_private,
        )
