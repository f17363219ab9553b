"""Stripe's events: taken in from webhooks and from Stripe's own list, each once, and applied until it succeeds.

A webhook is only a wake-up: what is true is asked for afterwards. One that never comes is found in Stripe's list, which
is read from where it was read to before. So the cost grows with the number of refunds and disputes, and not with the
number of payments.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from ticketing_common.entity import utc_now
from ticketing_common.errors import TicketingError
from ticketing_common.telemetry import get_logger
from ticketing_common.telemetry.metrics import STRIPE_EVENTS_FAILED
from ticketing_payments.domain import StripeEvent
from ticketing_payments.errors import PaymentNotFoundError
from ticketing_payments.repository import PaymentRepository, StripeEventInbox
from ticketing_payments.stripe_gateway import StripeGateway

__all__ = ["StripeEventProcessor"]

log = get_logger(__name__)

SWEEP_LIMIT: Final = 100
SWEEP_CONCURRENCY: Final = 8
LIST_SECONDS: Final = 30.0
OVERLAP_SECONDS: Final = 300
"""The list is read again from this long before its newest known event: Stripe may list one a little late."""


class StripeEventProcessor:
    """The inbox, Stripe's list, and the payments that they are about; `advance` brings one payment into step."""

    def __init__(
        self,
        payments: PaymentRepository,
        inbox: StripeEventInbox,
        stripe: StripeGateway,
        advance: Callable[[str, StripeEvent], Awaitable[object]],
    ) -> None:
        self._payments = payments
        self._inbox = inbox
        self._stripe = stripe
        self._advance = advance
        self._list_at = 0.0

    async def receive(self, body: bytes, signature: str | None) -> StripeEvent:
        """Check and store a webhook; stored once, however often it comes. Raises `WebhookSignatureError`."""
        event = self._stripe.read_webhook(body, signature)
        await self._inbox.add(event)
        return event

    async def apply(self, event: StripeEvent) -> None:
        """Bring the payment that an event is about into step with Stripe; put the event off when that fails."""
        try:
            payment_id = await self._payment_of(event)
            if payment_id is not None:
                await self._advance(payment_id, event)
        except PaymentNotFoundError:
            log.info("stripe event about an unknown payment", event_id=event.id, event_type=event.type)
        except TicketingError as error:
            log.warning("stripe event not applied, the reconciler will", event_id=event.id, error=repr(error))
            await self._inbox.retry_later(event.id)
            return
        except Exception:
            # Whatever it is, it must stop neither the events behind it nor the reconciler.
            log.exception("stripe event failed, the reconciler tries again", event_id=event.id)
            STRIPE_EVENTS_FAILED.inc()
            await self._inbox.retry_later(event.id)
            return
        await self._inbox.mark_applied(event.id)

    async def apply_due(self) -> None:
        """Apply what was stored and not applied."""
        gate = asyncio.Semaphore(SWEEP_CONCURRENCY)

        async def apply(event: StripeEvent) -> None:
            async with gate:
                await self.apply(event)

        due = await self._inbox.list_unapplied(utc_now(), limit=SWEEP_LIMIT)
        await asyncio.gather(*(apply(event) for event in due))

    async def catch_up(self) -> None:
        """Take in the refunds and disputes that no webhook told of; at most every `LIST_SECONDS`.

        The cursor moves when the whole list was taken in. After a crash before that it is read again, and what is in
        the inbox already stays as it is. Raises `StripeUnknownError`.
        """
        if time.monotonic() < self._list_at:
            return
        self._list_at = time.monotonic() + LIST_SECONDS
        until = await self._inbox.read_until()
        newest = until or 0
        async for events in self._stripe.list_money_back(None if until is None else max(0, until - OVERLAP_SECONDS)):
            for event in events:
                newest = max(newest, event.created)
                if await self._inbox.add(event):
                    log.info("stripe event without a webhook yet", event_id=event.id, event_type=event.type)
                    await self.apply(event)
        if newest:
            await self._inbox.move_cursor(newest)

    async def _payment_of(self, event: StripeEvent) -> str | None:
        if event.payment_id is not None:
            return event.payment_id
        intent_id = event.intent_id
        if intent_id is None and event.charge_id is not None:
            intent_id = await self._stripe.find_intent_id(event.charge_id)
        payment = None if intent_id is None else await self._payments.find_by_intent(intent_id)
        return None if payment is None else payment.id
