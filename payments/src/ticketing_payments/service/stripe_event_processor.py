"""Stripe's events: stored once each from webhooks and from Stripe's own list, and retried until they are applied.

A webhook only triggers a call to Stripe, whose response is authoritative. A lost webhook is found in Stripe's list,
which is read from the stored cursor on. So the cost grows with the number of refunds and disputes, not with the number
of payments.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from ticketing_common.entity import utc_now
from ticketing_common.errors import NotFoundError, TicketingError
from ticketing_common.telemetry import get_logger
from ticketing_common.telemetry.metrics import STRIPE_EVENTS_FAILED
from ticketing_payments.domain import Step, StripeEvent, next_step
from ticketing_payments.repository import OrderProjection, PaymentRepository, StripeEventInbox
from ticketing_payments.stripe_gateway import StripeGateway

log = get_logger(__name__)

SWEEP_LIMIT: Final = 100
SWEEP_CONCURRENCY: Final = 8
LIST_SECONDS: Final = 30.0
OVERLAP_SECONDS: Final = 300
"""The list is read from this long before the cursor, because Stripe may list an event late."""


class StripeEventProcessor:
    """Connects the inbox and Stripe's list with the payments; `advance` applies an event to one payment."""

    def __init__(
        self,
        payments: PaymentRepository,
        orders: OrderProjection,
        inbox: StripeEventInbox,
        stripe: StripeGateway,
        advance: Callable[[str, StripeEvent], Awaitable[object]],
    ) -> None:
        self._payments = payments
        self._orders = orders
        self._inbox = inbox
        self._stripe = stripe
        self._advance = advance
        self._list_at = 0.0

    async def receive(self, body: bytes, signature: str | None) -> StripeEvent:
        """Check a webhook and store it once, also if it is repeated. Raises `WebhookSignatureError`.

        An event that tells nothing new is stored as applied. Most do not: Stripe's responses tell the same, earlier.
        """
        event = self._stripe.read_webhook(body, signature)
        event = replace(event, applied=await self._tells_nothing_new(event))
        await self._inbox.add(event)
        return event

    async def apply(self, event: StripeEvent) -> None:
        """Make the event's payment consistent with Stripe. After a failure the event is retried later."""
        if event.applied:
            return
        try:
            payment_id = await self._payment_of(event)
            if payment_id is not None:
                await self._advance(payment_id, event)
        except NotFoundError:
            log.info("stripe event about an unknown payment", event_id=event.id, event_type=event.type)
        except TicketingError as error:
            log.warning("stripe event not applied, the reconciler retries", event_id=event.id, error=repr(error))
            await self._inbox.retry_later(event.id)
            return
        except Exception:
            # No error may stop the events after this one, or the reconciler.
            log.exception("stripe event failed, the reconciler retries", event_id=event.id)
            STRIPE_EVENTS_FAILED.inc()
            await self._inbox.retry_later(event.id)
            return
        await self._inbox.mark_applied(event.id)

    async def apply_due(self) -> None:
        """Apply the stored events that are due and not applied yet."""
        gate = asyncio.Semaphore(SWEEP_CONCURRENCY)

        async def apply(event: StripeEvent) -> None:
            async with gate:
                await self.apply(event)

        due = await self._inbox.list_unapplied(utc_now(), limit=SWEEP_LIMIT)
        await asyncio.gather(*(apply(event) for event in due))

    async def catch_up(self) -> None:
        """Store and apply refunds and disputes whose webhooks are missing; at most once in `LIST_SECONDS`.

        The cursor moves only after the whole list is stored. After a crash before that, the list is read again, and
        events already in the inbox do not change. Raises `StripeUnknownError`.
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

    async def _tells_nothing_new(self, event: StripeEvent) -> bool:
        if event.payment_id is None:
            return not event.names_payment
        payment = await self._payments.find(event.payment_id)
        if payment is None or not payment.knows(event):
            return False
        order = await self._orders.find(payment.order_id)  # an event also continues a step that failed
        return order is None or next_step(payment, order, None, utc_now()) is Step.NOTHING

    async def _payment_of(self, event: StripeEvent) -> str | None:
        if event.payment_id is not None:
            return event.payment_id
        intent_id = event.intent_id
        if intent_id is None and event.charge_id is not None:
            intent_id = await self._stripe.find_intent_id(event.charge_id)
        payment = None if intent_id is None else await self._payments.find_by_intent(intent_id)
        return None if payment is None else payment.id
