"""The use cases of a payment. Every trigger (request, event, webhook, reconciler) ends in `advance`."""

import asyncio
import re
from collections.abc import Callable
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
    IntentState,
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

from .changes import apply_intent, note_change, refuse_with, void
from .stripe_event_processor import StripeEventProcessor

log = get_logger(__name__)

JOIN_ATTEMPTS: Final = 4
MAX_STEPS: Final = 8
"""The longest sequence is create, confirm, capture, void, refund; more steps mean a loop."""
SWEEP_LIMIT: Final = 100
SWEEP_CONCURRENCY: Final = 8


class PaymentService:
    """Pays orders, and keeps Stripe, the payments and the orders consistent."""

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
            orders,
            inbox,
            stripe,
            lambda payment_id, event: self.advance(payment_id, event=event),
        )
        self._overtake_wait_seconds = settings.overtake_wait_seconds
        # One task at a time changes a payment within a replica; between replicas Stripe's states decide.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def pay(self, order_id: str, *, user_id: str, payment_method_id: str | None) -> Payment:
        """Pay an order at its own price, or continue its active payment.

        Without a payment method, the buyer's browser enters the card with the payment's `client_secret`. A request with
        another method replaces an attempt that waits for the buyer, and starts a new attempt after one that turns out
        to be declined.

        Raises `OrderNotFoundError`, `OrderForbiddenError`, `PaymentNotPossibleError`, `OrderPaidError`,
        `CardDeclinedError`, `PaymentMethodRefusedError`, `StripeRequestRefusedError`, `TooManyDeclinesError`,
        `PaymentActiveError`, and `StripeUnknownError`, after which the caller repeats the request.
        """
        for _ in range(JOIN_ATTEMPTS):
            order = await self._payable_order(order_id, user_id)
            payment, begun = await self._begin_or_join(order, payment_method_id)
            payment = await self.advance(payment.id, payment=payment, order=order if begun else None)
            another_card = not begun and payment_method_id not in (None, payment.payment_method_id)
            if another_card and payment.status is PaymentStatus.REQUIRES_ACTION:
                payment = await self.advance(payment.id, give_up=True)
            if another_card and payment.over:
                continue
            payment.check_not_over()
            return payment
        raise PaymentActiveError(order_id)

    async def get(self, payment_id: str, *, user_id: str) -> Payment:
        """The user's payment as stored here. Raises `NotFoundError` and `PaymentForbiddenError`."""
        payment = await self._payments.get(payment_id)
        payment.check_owner(user_id)
        return payment

    async def refresh(self, payment_id: str, *, user_id: str) -> Payment:
        """Ask Stripe about the user's payment after a step in the browser. Raises what `get` and `advance` raise."""
        await self.get(payment_id, user_id=user_id)
        return await self.advance(payment_id, ask=True)

    async def follow_order(self, data: OrderData) -> None:
        """Apply the order's newest state to its payment: capture, void or refund."""
        order = await self._orders.apply(data)
        if order.status is OrderStatus.CREATED:
            return
        payment = await self._payments.find_active(order.id)
        if payment is not None:
            await self.advance(payment.id, payment=payment, order=order)

    async def receive_webhook(self, body: bytes, signature: str | None) -> StripeEvent:
        """Check a webhook and store it once, also if it is repeated. Raises `WebhookSignatureError`."""
        return await self._stripe_events.receive(body, signature)

    async def apply_webhook(self, event: StripeEvent) -> None:
        """Ask Stripe about the payment, unless the event is outdated. The event's own claims are never trusted."""
        with background():
            await self._stripe_events.apply(event)

    async def reconcile(self) -> None:
        """Check everything that is due. A failing part does not stop the other parts."""
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
                    log.warning("part of the reconciliation postponed", part=part.__name__, error=repr(error))
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
                # Stripe was not called, so the next check is due as soon as calls are allowed again.
                at = utc_now() + timedelta(seconds=refusal.retry_after_seconds)
                await self._payments.check_later(payment.id, at)
            except TicketingError as error:
                log.warning("payment still unsettled", payment_id=payment.id, error=repr(error))
            except Exception:
                log.exception("payment check failed, retried later", payment_id=payment.id)

    async def advance(
        self,
        payment_id: str,
        *,
        ask: bool = False,
        event: StripeEvent | None = None,
        give_up: bool = False,
        payment: Payment | None = None,
        order: OrderData | None = None,
    ) -> Payment:
        """Make Stripe, the payment and the order consistent; the only function that changes a stored payment.

        Each round reads the stored state, makes at most one call to Stripe, and stores its result. So it may be called
        at any time and any number of times. `ask` retrieves Stripe's state when nothing else is to be done, and so does
        `event`, unless the payment already reflects it. After a refund or a dispute the retrieval comes first, since
        the response to a repeated capture may be older. `give_up` voids an attempt that waits for the buyer.

        `payment` and `order` are the states that the caller has just read, for the first round. A payment is not
        confirmed by such a state of the order: that round reads the order, after the payment was stored. So an order
        that ends earlier is seen there, and the event of one that ends later finds the payment.

        Raises `NotFoundError`, `StripeUnknownError`, `CardDeclinedError`, `PaymentMethodRefusedError`,
        `StripeRequestRefusedError` and `ConcurrentUpdateError`.
        """
        lock = self._locks.setdefault(payment_id, asyncio.Lock())
        if lock.locked():
            payment = None  # another task is changing it
        async with lock:
            if payment is None:
                payment = await self._payments.get(payment_id)
            ask = ask or (event is not None and not payment.knows(event))
            ask_first = event is not None and event.money_back and payment.stripe_id is not None
            refunded, disputed = payment.refunded_cents, payment.disputed
            intent: Intent | None = None
            for _ in range(MAX_STEPS):
                first = ask_first and intent is None
                step = Step.ASK if first else await self._choose(payment, order, intent, ask=ask, give_up=give_up)
                order = None
                if step is Step.NOTHING:
                    break
                if step is Step.VOID and payment.undecided:
                    # Stored before the call to Stripe. A replica that gets the bank's answer now finds the payment
                    # over and publishes nothing. If that replica was first, this round starts again from its state.
                    payment = await self._change(payment, void(payment.status))
                    if not payment.over:
                        continue
                try:
                    intent = await self._stripe.take(step, payment)
                except StripeKeySpentError:
                    await self._change(payment, Payment.abandon)
                    raise
                except StripeUnknownError:
                    if payment.over:
                        break  # already decided; the reconciler cancels it at Stripe when `check_at` is due
                    raise
                except (CardDeclinedError, PaymentMethodRefusedError, StripeRequestRefusedError) as refusal:
                    await self._change(payment, refuse_with(refusal))
                    raise
                released = step is Step.VOID or await self._may_be_released(payment, intent)
                payment = await self._change(payment, apply_intent(intent, released=released))
                if step is Step.VOID and intent is not None and intent.state in OPEN_STATES:
                    break  # Stripe does not cancel it now; the reconciler tries again
                if step is Step.CAPTURE and payment.paid:
                    break  # the next change of the order comes with its event, which finds this state
                if step is Step.REFUND and payment.status is PaymentStatus.CAPTURED:
                    break  # an open dispute prevents the refund; Stripe's event about its end triggers the next try
            known = intent is not None and intent.state not in OPEN_STATES
            unchanged = (payment.refunded_cents, payment.disputed) == (refunded, disputed)
            if known and unchanged and payment.check_at and (payment.over or payment.status is PaymentStatus.CAPTURED):
                await self._payments.settle(payment)
            return payment

    async def _choose(
        self, payment: Payment, order: OrderData | None, intent: Intent | None, *, ask: bool, give_up: bool
    ) -> Step:
        if give_up and payment.status is PaymentStatus.REQUIRES_ACTION:
            return Step.VOID
        if order is None:
            order = await self._orders.find(payment.order_id)
        step = Step.NOTHING if order is None else next_step(payment, order, intent, utc_now())
        # A due step needs no retrieval before it: an expired hold is voided, whatever Stripe's state is.
        retrieve = ask and intent is None and payment.stripe_id is not None
        return Step.ASK if retrieve and step is Step.NOTHING else step

    async def _may_be_released(self, payment: Payment, intent: Intent | None) -> bool:
        """Whether another replica may have cancelled it at Stripe: that one had stored the end of the order before."""
        if intent is None or intent.state is not IntentState.CANCELLED:
            return False
        order = await self._orders.find(payment.order_id)
        return order is not None and next_step(payment, order, None, utc_now()) is Step.VOID

    async def _change(self, payment: Payment, change: Callable[[Payment], bool]) -> Payment:
        before, after = await self._payments.change(payment, change, payment_change_event)
        note_change(before, after)
        return after

    async def _payable_order(self, order_id: str, user_id: str) -> OrderData:
        if not re.fullmatch(ID_PATTERN, order_id):
            raise OrderNotFoundError
        order = await self._orders.wait_for(order_id, seconds=self._overtake_wait_seconds)
        if order is None:
            raise OrderNotFoundError
        check_payable(order, user_id, utc_now())
        return order

    async def _begin_or_join(self, order: OrderData, payment_method_id: str | None) -> tuple[Payment, bool]:
        """A new attempt, or the active one, and whether it is new. The unique index decides between replicas."""
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
