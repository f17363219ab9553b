"""A payment: one attempt to pay an order, and its status."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Self

from ticketing_common.entity import Entity, utc_now
from ticketing_common.events import OrderData, PaymentStatus
from ticketing_payments.errors import (
    CardDeclinedError,
    PaymentForbiddenError,
    PaymentMethodRefusedError,
    PaymentNotPossibleError,
    PaymentTransitionError,
    StripeRequestRefusedError,
)

from .intents import OPEN_STATES, Decline, Intent, IntentState, StripeEvent

FIRST_CHECK: Final = timedelta(seconds=5)
LONGEST_CHECK: Final = timedelta(seconds=60)
RECHECK_AFTER: Final = timedelta(seconds=60)
"""When Stripe is called again after a refund: two replicas may have stored its responses in the wrong order."""
OUR_FAULT: Final = "request_refused"
"""`decline_code` of an attempt that Stripe refused because of an error in this service."""
METHOD_REFUSED: Final = "payment_method_refused"
"""`decline_code` of an attempt whose payment method Stripe refused before it called the bank."""

ACTIVE_STATUSES: Final = (
    PaymentStatus.INITIATED,
    PaymentStatus.REQUIRES_ACTION,
    PaymentStatus.AUTHORIZED,
    PaymentStatus.CAPTURED,
)
"""Each order has at most one payment in one of these."""

UNSUCCESSFUL_STATUSES: Final = (PaymentStatus.FAILED, PaymentStatus.VOIDED)
"""The attempt took no money: the card was refused, or the attempt was abandoned."""

TRANSITIONS: Final[Mapping[PaymentStatus, frozenset[PaymentStatus]]] = {
    PaymentStatus.INITIATED: frozenset(
        {PaymentStatus.REQUIRES_ACTION, PaymentStatus.AUTHORIZED, PaymentStatus.VOIDED, PaymentStatus.FAILED}
    ),
    PaymentStatus.REQUIRES_ACTION: frozenset({PaymentStatus.AUTHORIZED, PaymentStatus.VOIDED, PaymentStatus.FAILED}),
    PaymentStatus.AUTHORIZED: frozenset(
        {PaymentStatus.CAPTURED, PaymentStatus.REFUNDED, PaymentStatus.VOIDED, PaymentStatus.FAILED}
    ),
    PaymentStatus.CAPTURED: frozenset({PaymentStatus.REFUNDED}),
    PaymentStatus.VOIDED: frozenset(),
    PaymentStatus.FAILED: frozenset(),
    PaymentStatus.REFUNDED: frozenset(),
}
"""Every allowed transition. Only `authorized` leads to `captured`: orders decides in between."""

_AUTHORIZED_OR_LATER: Final = frozenset({PaymentStatus.AUTHORIZED, PaymentStatus.CAPTURED})
OUTDATED_EVENT_STATUSES: Final[Mapping[str, frozenset[PaymentStatus]]] = {
    "payment_intent.created": frozenset(ACTIVE_STATUSES),
    "payment_intent.requires_action": _AUTHORIZED_OR_LATER,
    "payment_intent.amount_capturable_updated": _AUTHORIZED_OR_LATER,
    "payment_intent.succeeded": frozenset({PaymentStatus.CAPTURED}),
    # Final at Stripe too. Any other event may mean money on a payment that is over, so Stripe must be called.
    "payment_intent.canceled": frozenset({PaymentStatus.VOIDED, PaymentStatus.FAILED}),
}
"""Webhooks, and the statuses that already include their effect (https://docs.stripe.com/api/events/types)."""


@dataclass(kw_only=True)
class Payment(Entity):
    """One attempt to pay an order; money in cents of `currency`.

    `client_secret` lets the buyer's browser continue the attempt. It is in no event and no log, and is removed as soon
    as the browser has no further step. `check_at` (UTC) is when the reconciler next calls Stripe about it, None when
    the outcome is known. `refunded_cents` and `disputed` are the last values from Stripe for captured money; a lost
    dispute counts as a refund.
    """

    order_id: str
    user_id: str
    amount_cents: int
    currency: str
    attempt: int
    payment_method_id: str | None
    check_at: datetime | None
    status: PaymentStatus = PaymentStatus.INITIATED
    stripe_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    decline_message: str | None = None
    decline_code: str | None = None
    idempotency_key: str = ""
    refunded_cents: int = 0
    disputed: bool = False

    @classmethod
    def begin(cls, order: OrderData, *, attempt: int, payment_method_id: str | None) -> Self:
        """The next attempt, at the price that the order was placed at. Without a method the browser enters a card."""
        now = utc_now()
        return cls(
            order_id=order.id,
            user_id=order.user_id,
            amount_cents=order.total_cents,
            currency=order.ticket.currency,
            attempt=attempt,
            payment_method_id=payment_method_id,
            check_at=now + FIRST_CHECK,
            # Stored before Stripe is called: after a lost response the call is repeated and never charges twice.
            idempotency_key=f"order:{order.id}:pay:{attempt}",
            created_at=now,
            updated_at=now,
        )

    @property
    def over(self) -> bool:
        """Whether no further status follows."""
        return not TRANSITIONS[self.status]

    @property
    def undecided(self) -> bool:
        """Whether no outcome of this attempt was published yet."""
        return not self.over and not self.paid

    @property
    def paid(self) -> bool:
        """Whether the payment is authorised or captured."""
        return self.status in (PaymentStatus.AUTHORIZED, PaymentStatus.CAPTURED)

    @property
    def settled(self) -> bool:
        """Whether nothing about its money is undecided: no attempt, capture, void, refund, check or dispute."""
        return (self.over or self.status is PaymentStatus.CAPTURED) and self.check_at is None and not self.disputed

    def forget_person(self) -> None:
        """Remove the buyer and the card. `stripe_id` stays: a late dispute names nothing else."""
        self.user_id, self.payment_method_id = "", None

    def check_owner(self, user_id: str) -> None:
        """Raise `PaymentForbiddenError` unless the payment is this user's."""
        if self.user_id != user_id:
            raise PaymentForbiddenError(self.id)

    def knows(self, event: StripeEvent) -> bool:
        """Whether this webhook needs no call to Stripe, since the stored status already includes its effect."""
        return self.status in OUTDATED_EVENT_STATUSES.get(event.type, ())

    def check_not_over(self) -> None:
        """Raise the buyer's error for an attempt that has ended.

        `CardDeclinedError`, `PaymentMethodRefusedError`, `StripeRequestRefusedError`, or `PaymentNotPossibleError`.
        """
        if self.status is PaymentStatus.FAILED:
            if self.decline_code == OUR_FAULT:
                raise StripeRequestRefusedError
            if self.decline_code == METHOD_REFUSED:
                raise PaymentMethodRefusedError
            raise CardDeclinedError(self.decline_message or "Your card was declined.", self.decline_code)
        if self.status is PaymentStatus.REFUNDED:
            raise PaymentNotPossibleError(f"The payment of order {self.order_id} was refunded.")
        if self.status is PaymentStatus.VOIDED:
            raise PaymentNotPossibleError(f"Order {self.order_id} ended meanwhile. Nothing was charged.")

    def next_check(self, now: datetime) -> datetime:
        """When to call Stripe again: after the payment's age so far, from 5 s to 60 s."""
        return now + min(max(now - self.created_at, FIRST_CHECK), LONGEST_CHECK)

    def follow(self, intent: Intent, *, released: bool = False) -> bool:
        """Apply the state of the PaymentIntent at Stripe; returns whether anything changed.

        Responses, webhooks and the reconciler's results may come twice and in any order: a state that is no allowed
        transition from the current status is outdated and ignored. `released` means that this service voided the
        authorisation. Refunds and disputes are applied also after the end, and in both directions: a refund may fail
        days later.
        """
        if self.stripe_id not in (None, intent.id):
            return False
        changed = not self.over and self._follow_state(intent, released=released)
        return self._follow_money(intent) or changed

    def _follow_state(self, intent: Intent, *, released: bool) -> bool:
        changed = self.stripe_id is None
        self.stripe_id = intent.id
        if self.undecided:
            self.client_secret = intent.client_secret or self.client_secret
        target = self._target(intent, released=released)
        if target is None or target not in TRANSITIONS[self.status]:
            return changed
        if target is PaymentStatus.FAILED and intent.decline is not None:
            self.decline_message, self.decline_code = intent.decline.message, intent.decline.code
        self._move(target)
        if target is not PaymentStatus.AUTHORIZED and intent.state not in OPEN_STATES:
            self.check_at = None
        return True

    def _follow_money(self, intent: Intent) -> bool:
        if intent.refunded_cents is None or self.status not in (PaymentStatus.CAPTURED, PaymentStatus.REFUNDED):
            return False
        latest = (min(intent.refunded_cents, self.amount_cents), intent.disputed)
        if latest == (self.refunded_cents, self.disputed):
            return False
        self.refunded_cents, self.disputed = latest
        self.check_at = utc_now() + RECHECK_AFTER
        return True

    def refuse(self, decline: Decline) -> bool:
        """Stripe refused to create the PaymentIntent; False when the payment is over or has one."""
        if self.over or self.stripe_id is not None:
            return False
        self.decline_message, self.decline_code = decline.message, decline.code
        self.check_at = None
        return self._move(PaymentStatus.FAILED)

    def abandon(self) -> bool:
        """Void the attempt before Stripe responded. A PaymentIntent that exists after all is never confirmed."""
        return self.stripe_id is None and self.void()

    def void(self) -> bool:
        """Decide that the attempt takes no money. Its PaymentIntent must be cancelled at Stripe: `check_at` stays."""
        if not self.undecided:
            return False
        if self.stripe_id is None:
            self.check_at = None
        return self._move(PaymentStatus.VOIDED)

    def _target(self, intent: Intent, *, released: bool) -> PaymentStatus | None:
        match intent.state:
            case IntentState.UNCONFIRMED | IntentState.PROCESSING:
                return None
            case IntentState.NEEDS_BUYER:
                return PaymentStatus.REQUIRES_ACTION
            case IntentState.DECLINED:
                # With the card form in the browser, Stripe lets the buyer try another card on the same PaymentIntent.
                return PaymentStatus.FAILED if self.payment_method_id else PaymentStatus.REQUIRES_ACTION
            case IntentState.AUTHORIZED:
                return PaymentStatus.FAILED if intent.decline else PaymentStatus.AUTHORIZED
            case IntentState.CAPTURED:
                # Captured by hand, before the authorisation was known here: orders has to decide first.
                return PaymentStatus.CAPTURED if self.paid else PaymentStatus.AUTHORIZED
            case IntentState.REFUNDED:
                # If the authorisation was not published, no other service knows about the captured and refunded money.
                return PaymentStatus.REFUNDED if self.paid else PaymentStatus.VOIDED
            case IntentState.CANCELLED:
                # An authorisation that ended without this service (after a week, or by hand) cannot be captured.
                lost = self.status is PaymentStatus.AUTHORIZED and not released
                return PaymentStatus.FAILED if lost else PaymentStatus.VOIDED

    def _move(self, target: PaymentStatus) -> bool:
        """The only place that changes `status`; allows what the transition table allows."""
        if self.status is target:
            return False
        if target not in TRANSITIONS[self.status]:
            raise PaymentTransitionError(self.id, self.status, target)
        self.status = target
        if not self.undecided:
            self.client_secret = None
        return True
