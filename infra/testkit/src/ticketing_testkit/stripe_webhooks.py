"""Webhooks as Stripe sends them: signed, at least once, unordered, and repeated until they are acknowledged.

The double sends only two types, once and a second late. The behaviour implemented here is documented at
https://docs.stripe.com/webhooks (at least once, no order, retries with increasing delays, signed by HMAC-SHA256).
"""

import asyncio
import hashlib
import hmac
import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, Final

import aiohttp

EVENT_TYPES: Final[Mapping[str, str]] = {
    "requires_payment_method": "payment_intent.payment_failed",
    "requires_action": "payment_intent.requires_action",
    "requires_capture": "payment_intent.amount_capturable_updated",
    "succeeded": "payment_intent.succeeded",
    "canceled": "payment_intent.canceled",
}
"""The event type for each new status of a PaymentIntent; https://docs.stripe.com/api/events/types."""

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A receiver of webhooks: the address, the signing secret (`whsec_…`), and the faults of delivery.

    Every event is sent `copies` times, each with a random delay within `delay_seconds` (from, to), so that later events
    overtake earlier ones. Each copy is sent up to `attempts` times until a 2xx response.
    """

    url: str
    secret: str
    copies: int = 1
    delay_seconds: tuple[float, float] = (0.0, 0.0)
    attempts: int = 20


class Webhooks:
    """Sends an event to each endpoint for every change of a PaymentIntent through the proxy."""

    def __init__(self, session: aiohttp.ClientSession, chance: random.Random | None = None) -> None:
        self.endpoints: list[Endpoint] = []
        self.sent: list[str] = []
        """The event types of all acknowledged copies, in the order of acknowledgement."""
        self._session = session
        self._chance = chance or random.Random()  # noqa: S311 (for tests, not secret)
        self._statuses: dict[str, str] = {}
        self._held: list[tuple[Endpoint, str, bytes]] | None = None
        self._sending: set[asyncio.Task[None]] = set()

    async def follow(self, intent: Mapping[str, Any]) -> None:
        """Start sending the PaymentIntent's present state if its status is new; does not wait for the delivery."""
        status = intent["status"]
        before = self._statuses.get(intent["id"])
        self._statuses[intent["id"]] = status
        event_type = EVENT_TYPES.get(status)
        if status == before or event_type is None or (before is None and status == "requires_payment_method"):
            return
        body = json.dumps(
            {
                "id": f"evt_{token_hex(12)}",
                "object": "event",
                "type": event_type,
                "created": int(time.time()),
                "data": {"object": intent},
            }
        ).encode()
        for endpoint in self.endpoints:
            for _ in range(endpoint.copies):
                if self._held is None:
                    self._send(endpoint, event_type, body)
                else:
                    self._held.append((endpoint, event_type, body))

    def hold(self) -> None:
        """Keep back all later events."""
        if self._held is None:
            self._held = []

    async def release(self, *, last_first: bool = False) -> None:
        """Send the events kept back in sequence, each after the acknowledgement of the one before; end the hold."""
        held, self._held = self._held or [], None
        for endpoint, event_type, body in reversed(held) if last_first else held:
            await self._deliver(endpoint, event_type, body)

    async def delivered(self) -> None:
        """Wait until no event is in flight."""
        while self._sending:
            await asyncio.wait(self._sending)

    async def close(self) -> None:
        """Cancel all events in flight."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    def _send(self, endpoint: Endpoint, event_type: str, body: bytes) -> None:
        async def later() -> None:
            await asyncio.sleep(self._chance.uniform(*endpoint.delay_seconds))
            await self._deliver(endpoint, event_type, body)

        task = asyncio.create_task(later())
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _deliver(self, endpoint: Endpoint, event_type: str, body: bytes) -> None:
        pause = FIRST_PAUSE_SECONDS
        for attempt in range(endpoint.attempts):
            if attempt:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            headers = {"Content-Type": "application/json", "Stripe-Signature": _signature(body, endpoint.secret)}
            try:
                async with self._session.post(endpoint.url, data=body, headers=headers) as answer:
                    if answer.ok:
                        self.sent.append(event_type)
                        return
            except (aiohttp.ClientError, TimeoutError):
                continue


def _signature(body: bytes, secret: str) -> str:
    """https://docs.stripe.com/webhooks#verify-manually; each attempt has a new one, because its time must be recent."""
    now = int(time.time())
    digest = hmac.new(secret.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={now},v1={digest}"
