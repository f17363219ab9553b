"""Paying an order, and following it: whatever sets one off, it ends in `advance`."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final
from weakref import WeakValueDictionary

from ticketing_common.entity import ID_PATTERN, utc_now
from ticketing_common.errors import TicketingError
from ticketing_common.events import OrderData, OrderStatus, PaymentStatus
from ticketing_common.resilience import background
from ticketing_common.telemetry import get_logger
from ticketing_payments.declines import DeclineLimits
from ticketing_payments.domain import (
    OPEN_STATES,
    Intent,
    Payment,
    Step,
    StripeEvent,
    check_payable,
    next_step,
)
from ticketing_payments.errors import (
    CardDeclinedError,
    OrderNotFoundError,
    OrderPaidError,
    PaymentActiveError,
    PaymentMethodRefusedError,
    StripeAwayError,
    StripeKeySpentError,
    StripeRequestRefusedError,
    StripeUnknownError,
)
from ticketing_payments.publishers import payment_change_event
from ticketing_payments.repository import OrderProjection, PaymentRepository, StripeEventInbox
from ticketing_payments.settings import Settings
from ticketing_payments.stripe_gateway import StripeGateway

from .changes import apply_intent, note_change, refused, void
from .stripe_event_processor import StripeEventProcessor

__all__ = ["PaymentService"]

log = get_logger(__name__)

JOIN_ATTEMPTS: Final = 4
MAX_STEPS: Final = 8
"""The longest way is create, confirm, capture, release, refund; what needs more is going in circles."""
SWEEP_LIMIT: Final = 100
SWEEP_CONCURRENCY: Final = 8


class PaymentService:
    """Pays orders, and keeps Stripe, the payments and the orders in step."""

    def __init__(
        self,
        payments: PaymentRepository,
        orders: OrderProjection,
        inbox: StripeEventInbox,
        stripe: StripeGateway,
        settings: Settings,
    ) -> None:
        self._payments = payments
        self._declines = DeclineLimits(payments, settings)
        self._orders = orders
        self._stripe = stripe
        self._stripe_events = StripeEventProcessor(
            payments,
            inbox,
            stripe,
            lambda payment_id, event: self.advance(payment_id, heard=event),
        )
        self._overtake_wait_seconds = settings.overtake_wait_seconds
        # Within a replica a payment is worked on by one at a time; between replicas Stripe's own states decide.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def pay(self, order_id: str, *, user_id: str, payment_method_id: str | None) -> Payment:
        """Pay an order at its own price, or go on with the payment of it that is under way.

        Without a payment method the buyer's browser enters the card, with the payment's `client_secret`. A request with
        another method replaces an attempt that waits for the buyer, and follows one that turns out to be declined.

        Raises `OrderNotFoundError`, `OrderForbiddenError`, `PaymentNotPossibleError`, `OrderPaidError`,
        `CardDeclinedError`, `PaymentMethodRefusedError`, `TooManyDeclinesError`, and `StripeUnknownError`: then ask
        again.
        """
        for _ in range(JOIN_ATTEMPTS):
            order = await self._payable_order(order_id, user_id)
            payment, begun = await self._begin_or_join(order, payment_method_id)
            payment = await self.advance(payment.id)
            another_card = not begun and payment_method_id not in (None, payment.payment_method_id)
            if another_card and payment.status is PaymentStatus.REQUIRES_ACTION:
                payment = await self.advance(payment.id, give_up=True)
            if another_card and payment.over:
                continue
            payment.check_not_over()
            return payment
        raise PaymentActiveError(order_id)

    async def get(self, payment_id: str, *, user_id: str) -> Payment:
        """One of one's own payments, as it is known here; raises `PaymentNotFoundError`, `PaymentForbiddenError`."""
        payment = await self._payments.get(payment_id)
        payment.check_owner(user_id)
        return payment

    async def refresh(self, payment_id: str, *, user_id: str) -> Payment:
        """The same, after asking Stripe: the buyer has done something in the browser."""
        await self.get(payment_id, user_id=user_id)
        return await self.advance(payment_id, ask=True)

    async def follow_order(self, data: OrderData) -> None:
        """Do what the order's newest state asks of its payment: capture, let go, or give back."""
        order = await self._orders.apply(data)
        if order.status is OrderStatus.CREATED:
            return
        payment = await self._payments.find_active(order.id)
        if payment is not None:
            await self.advance(payment.id)

    async def receive_webhook(self, body: bytes, signature: str | None) -> StripeEvent:
        """Check and store a webhook; stored once, however often it comes. Raises `WebhookSignatureError`."""
        return await self._stripe_events.receive(body, signature)

    async def apply_webhook(self, event: StripeEvent) -> None:
        """Ask Stripe about the payment, unless the event is old news; what it says is never taken at its word."""
        with background():
            await self._stripe_events.apply(event)

    async def reconcile(self) -> None:
        """Find out about everything that is due to be looked at; what fails in one part stops no other."""
        with background():
            for part in (
                self._stripe_events.catch_up,
                self._stripe_events.apply_due,
                self._check_due,
                self._payments.forget_secrets,
            ):
                try:
                    await part()
                except TicketingError as error:
                    log.warning("part of the reconciliation put off", part=part.__name__, error=repr(error))
                except Exception:
                    log.exception("part of the reconciliation failed", part=part.__name__)

    async def _check_due(self) -> None:
        due = await self._payments.list_to_check(utc_now(), limit=SWEEP_LIMIT)
        gate = asyncio.Semaphore(SWEEP_CONCURRENCY)
        await asyncio.gather(*(self._check(payment, gate) for payment in due))

    async def _check(self, payment: Payment, gate: asyncio.Semaphore) -> None:
        async with gate:
            try:
                await self._payments.check_later(payment.id, payment.next_check(utc_now()))
                await self.advance(payment.id, ask=True)
            except StripeAwayError as refusal:
                # It was not asked, so it need not wait longer than until Stripe may be asked again.
                at = utc_now() + timedelta(seconds=refusal.retry_after_seconds)
                await self._payments.check_later(payment.id, at)
            except TicketingError as error:
                log.warning("payment still unsettled", payment_id=payment.id, error=repr(error))
            except Exception:
                log.exception("payment not looked at, later again", payment_id=payment.id)

    async def advance(
        self, payment_id: str, *, ask: bool = False, heard: StripeEvent | None = None, give_up: bool = False
    ) -> Payment:
        """Bring Stripe, the payment and the order into step; the one way in which a payment ever changes.

        Every round looks at what is stored then, does at most one thing at Stripe, and stores what came of it, so it
        may be called at any time and any number of times. `ask` puts a question to Stripe when nothing else is to be
        done, and so does what was `heard`, unless the payment says as much already. After a refund or a dispute the
        question comes first, since the answer to a repeated capture may be older. `give_up` lets go an attempt that
        waits for the buyer.

        Raises `PaymentNotFoundError`, `StripeUnknownError`, and what Stripe refuses at the beginning.
        """
        async with self._locks.setdefault(payment_id, asyncio.Lock()):
            payment = await self._payments.get(payment_id)
            ask = ask or (heard is not None and not payment.knows(heard))
            ask_first = heard is not None and heard.money_back and payment.stripe_id is not None
            gone, disputed = payment.refunded_cents, payment.disputed
            intent: Intent | None = None
            for _ in range(MAX_STEPS):
                first = ask_first and intent is None
                step = Step.ASK if first else await self._choose(payment, intent, ask=ask, give_up=give_up)
                if step is Step.NOTHING:
                    break
                if step is Step.VOID and payment.undecided:
                    # Stored before Stripe is asked. Whoever hears from the bank just now finds it over, and announces
                    # nothing; had they been first, it would be theirs, and is looked at anew.
                    payment = await self._change(payment, void(payment.status))
                    if not payment.over:
                        continue
                try:
                    intent = await self._do(step, payment)
                except StripeKeySpentError:
                    await self._change(payment, Payment.abandon)
                    raise
                except StripeUnknownError:
                    if payment.over:
                        break  # decided already; its `check_at` brings the reconciler, which tidies up at Stripe
                    raise
                except (CardDeclinedError, PaymentMethodRefusedError, StripeRequestRefusedError) as refusal:
                    await self._change(payment, refused(refusal))
                    raise
                payment = await self._change(payment, apply_intent(intent, released=step is Step.VOID))
                if step is Step.VOID and intent is not None and intent.state in OPEN_STATES:
                    break  # Stripe does not let go just now; the reconciler tries again
                if step is Step.REFUND and payment.status is PaymentStatus.CAPTURED:
                    break  # a dispute stands in the way; its end is an event of Stripe's, and brings us here again
            known = intent is not None and intent.state not in OPEN_STATES
            steady = (payment.refunded_cents, payment.disputed) == (gone, disputed)
            if known and steady and payment.check_at and (payment.over or payment.status is PaymentStatus.CAPTURED):
                await self._payments.settle(payment)
            return payment

    async def _choose(self, payment: Payment, intent: Intent | None, *, ask: bool, give_up: bool) -> Step:
        if give_up and payment.status is PaymentStatus.REQUIRES_ACTION:
            return Step.VOID
        order = await self._orders.find(payment.order_id)
        step = Step.NOTHING if order is None else next_step(payment, order, intent, utc_now())
        # What must be done is done without asking first: a hold that has run out is let go, whatever Stripe would say.
        curious = ask and intent is None and payment.stripe_id is not None
        return Step.ASK if curious and step is Step.NOTHING else step

    async def _do(self, step: Step, payment: Payment) -> Intent | None:
        """One call to Stripe; None when there is nothing at Stripe to let go."""
        if step is Step.CREATE:
            return await self._stripe.create(payment)
        if payment.stripe_id is None:
            return None
        match step:
            case Step.CONFIRM:
                return await self._stripe.confirm(payment.stripe_id)
            case Step.CAPTURE:
                return await self._stripe.capture(payment)
            case Step.VOID:
                return await self._stripe.cancel(payment.stripe_id)
            case Step.REFUND:
                return await self._stripe.refund(payment)
            case _:
                return await self._stripe.retrieve(payment.stripe_id)

    async def _change(self, payment: Payment, change: Callable[[Payment], bool]) -> Payment:
        before = payment

        def watched(current: Payment) -> bool:
            nonlocal before
            before = replace(current)
            return change(current)

        payment = await self._payments.change(payment.id, watched, payment_change_event)
        note_change(before, payment)
        return payment

    async def _payable_order(self, order_id: str, user_id: str) -> OrderData:
        if not re.fullmatch(ID_PATTERN, order_id):
            raise OrderNotFoundError
        order = await self._orders.wait_for(order_id, seconds=self._overtake_wait_seconds)
        if order is None:
            raise OrderNotFoundError
        check_payable(order, user_id, utc_now())
        return order

    async def _begin_or_join(self, order: OrderData, payment_method_id: str | None) -> tuple[Payment, bool]:
        """A new attempt, or the one that is under way; the unique index decides which, and whether it is new."""
        for _ in range(JOIN_ATTEMPTS):
            latest = await self._payments.find_latest(order.id)
            if latest is not None and latest.paid:
                raise OrderPaidError(order.id)
            if latest is not None and not latest.over:
                return latest, False
            await self._declines.check(order)
            attempt = 1 if latest is None else latest.attempt + 1
            payment = Payment.begin(order, attempt=attempt, payment_method_id=payment_method_id)
            try:
                await self._payments.add(payment)
            except PaymentActiveError:
                continue
            return payment, True
        raise PaymentActiveError(order.id)
