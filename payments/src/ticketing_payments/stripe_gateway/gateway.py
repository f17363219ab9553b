"""Stripe, asked in our words: one PaymentIntent per payment, in manual capture; and its webhooks, checked.

A PaymentIntent is created first and confirmed in a second call, when its id is stored. Creating moves no money; every
call that does goes to a known id, so after a lost answer one question tells what happened, and nothing is ever
authorised by the mere attempt to find out.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Self
from uuid import uuid4

import stripe
from stripe import RequestOptions
from stripe.params import (
    PaymentIntentCancelParams,
    PaymentIntentConfirmParams,
    PaymentIntentCreateParams,
    RefundCreateParams,
)

from ticketing_common.telemetry import get_logger
from ticketing_payments.domain import Decline, Intent, IntentState, Payment, StripeEvent
from ticketing_payments.errors import (
    CardDeclinedError,
    PaymentMethodRefusedError,
    StripeKeySpentError,
    WebhookSignatureError,
)
from ticketing_payments.settings import Settings

from .calls import StripeCalls, unknown, was_replayed
from .transport import StripeTransport

__all__ = ["API_VERSION", "StripeGateway"]

log = get_logger(__name__)

API_VERSION: Final = "2026-10-28.endive"
"""Pinned: what we send and read was written against this one (https://docs.stripe.com/api/versioning)."""

_STATES: Final[Mapping[str, IntentState]] = {
    "requires_payment_method": IntentState.NEEDS_BUYER,
    "requires_confirmation": IntentState.UNCONFIRMED,
    "requires_action": IntentState.NEEDS_BUYER,
    "processing": IntentState.PROCESSING,
    "requires_capture": IntentState.AUTHORIZED,
    "succeeded": IntentState.CAPTURED,
    "canceled": IntentState.CANCELLED,
}
"""https://docs.stripe.com/payments/paymentintents/lifecycle"""

DECLINED_WITHOUT_REASON: Final = "Your card was declined."


@dataclass(frozen=True)
class _Profile:
    """What is sent beyond the necessary, and whether a call may be repeated."""

    names_methods: bool
    confirm: PaymentIntentConfirmParams
    cancel: PaymentIntentCancelParams
    refund: RefundCreateParams
    may_repeat: bool


_PROFILES: Final[Mapping[str, _Profile]] = {
    "stripe": _Profile(
        # The only kind that can be authorised now and captured later without the buyer leaving our page.
        names_methods=True,
        # The browser goes on with 3-D Secure in a dialog instead of leaving our page.
        confirm={"use_stripe_sdk": True},
        cancel={"cancellation_reason": "abandoned"},
        refund={"reason": "requested_by_customer"},
        may_repeat=True,
    ),
    # The double refuses parameters that it does not know, and has no idempotency keys that would make repeating safe.
    "localstripe": _Profile(names_methods=False, confirm={}, cancel={}, refund={}, may_repeat=False),
}


class StripeGateway:
    """Each call returns what Stripe says of the PaymentIntent then.

    All raise `StripeUnknownError` when no definite answer came: a timeout, a lost connection, an error on Stripe's
    side, or a refusal that is no fault of the buyer (a wrong key, say); its kind `StripeAwayError` when Stripe was not
    even asked.
    """

    def __init__(self, client: stripe.StripeClient, settings: Settings) -> None:
        self._intents = client.v1.payment_intents
        self._refunds = client.v1.refunds
        self._webhook_secret = settings.stripe_webhook_secret.get_secret_value()
        self._profile = _PROFILES[settings.stripe_parameter_profile]
        self._calls = StripeCalls(settings, may_repeat=self._profile.may_repeat)

    @classmethod
    @asynccontextmanager
    async def connect(cls, settings: Settings) -> AsyncIterator[Self]:
        """A gateway for the running event loop."""
        # Telemetry would write a file into the home directory, from the event loop.
        stripe.enable_telemetry = False
        address = settings.stripe_api_base or stripe.DEFAULT_API_BASE
        async with StripeTransport.connect(address) as transport:
            client = stripe.StripeClient(
                settings.stripe_key.get_secret_value(),
                http_client=transport,
                stripe_version=API_VERSION,
                max_network_retries=0,  # one layer repeats, and that is `StripeCalls`
                base_addresses={"api": address},
            )
            yield cls(client, settings)

    async def create(self, payment: Payment) -> Intent:
        """Make the payment's PaymentIntent, or get it again: the key is the payment's own.

        Raises `PaymentMethodRefusedError` or `CardDeclinedError` when Stripe will not begin, and `StripeKeySpentError`
        when this key leads nowhere (https://docs.stripe.com/error-low-level: the first answer is kept, also a 500).
        """
        params: PaymentIntentCreateParams = {
            "amount": payment.amount_cents,
            "currency": payment.currency.lower(),
            "capture_method": "manual",
            "metadata": {"order_id": payment.order_id, "payment_id": payment.id},
        }
        if self._profile.names_methods:
            params["allowed_payment_method_types"] = ["card"]
        if payment.payment_method_id is not None:
            params["payment_method"] = payment.payment_method_id
        try:
            return await self._make(
                lambda: self._intents.create_async(params, {"idempotency_key": payment.idempotency_key}), payment.id
            )
        except stripe.CardError as error:
            decline = _decline(error)
            raise CardDeclinedError(decline.message, decline.code) from None
        except stripe.InvalidRequestError as error:
            log.info("stripe refuses to begin", payment_id=payment.id, code=error.code, param=error.param)
            raise PaymentMethodRefusedError(error.user_message or "This payment method is not accepted.") from None
        except stripe.StripeError as error:
            if was_replayed(error):
                raise StripeKeySpentError from None
            raise

    async def retrieve(self, intent_id: str) -> Intent:
        """What Stripe says now."""
        try:
            return await self._make(
                lambda: self._intents.retrieve_async(intent_id, {"expand": ["latest_charge"]}), intent_id
            )
        except stripe.StripeError as error:
            unknown(error, intent_id)

    async def confirm(self, intent_id: str) -> Intent:
        """Ask the bank. Stripe itself refuses to do so twice, so a key is needed for the attempts of this call only."""
        key = _any_key()
        try:
            return await self._make(
                lambda: self._intents.confirm_async(intent_id, self._profile.confirm, key), intent_id
            )
        except stripe.CardError as error:
            return Intent(intent_id, IntentState.DECLINED, decline=_decline(error))
        except stripe.InvalidRequestError as error:
            # Somebody else was faster, or the card cannot be used in this way: the state tells which.
            intent = await self.retrieve(intent_id)
            if intent.state is IntentState.UNCONFIRMED:
                return Intent(intent_id, IntentState.DECLINED, decline=_decline(error))
            return intent
        except stripe.StripeError as error:
            unknown(error, intent_id)

    async def capture(self, payment: Payment) -> Intent:
        """Take what is set aside; with the same key every time. AUTHORIZED with a `decline`: refused for good."""
        intent_id = str(payment.stripe_id)
        try:
            return await self._make(
                lambda: self._intents.capture_async(
                    intent_id, options={"idempotency_key": f"{payment.idempotency_key}:capture"}
                ),
                intent_id,
            )
        except (stripe.CardError, stripe.InvalidRequestError) as error:
            intent = await self.retrieve(intent_id)
            if intent.state is IntentState.AUTHORIZED:
                return Intent(intent_id, IntentState.AUTHORIZED, decline=_decline(error))
            return intent
        except stripe.StripeError as error:
            unknown(error, intent_id)

    async def cancel(self, intent_id: str) -> Intent:
        """Let go of what is set aside, and make sure that nothing more comes of it."""
        key = _any_key()
        try:
            return await self._make(lambda: self._intents.cancel_async(intent_id, self._profile.cancel, key), intent_id)
        except stripe.InvalidRequestError:
            return await self.retrieve(intent_id)  # cancelled before, or captured: then a refund is due
        except stripe.StripeError as error:
            unknown(error, intent_id)

    async def refund(self, payment: Payment) -> Intent:
        """Give back everything that was captured, once."""
        intent_id = str(payment.stripe_id)
        intent = await self.retrieve(intent_id)
        if intent.state is not IntentState.CAPTURED:
            return intent
        params: RefundCreateParams = {**self._profile.refund, "payment_intent": intent_id}
        try:
            await self._calls.make(
                lambda: self._refunds.create_async(params, {"idempotency_key": f"{payment.idempotency_key}:refund"}),
                about=intent_id,
            )
        except stripe.StripeError as error:
            unknown(error, intent_id)
        return Intent(intent_id, IntentState.REFUNDED)

    async def _make(self, call: Callable[[], Awaitable[stripe.PaymentIntent]], about: str) -> Intent:
        return _intent(await self._calls.make(call, about=about))

    def read_webhook(self, body: bytes, signature: str | None) -> StripeEvent:
        """Check the signature over the raw bytes, not older than 5 minutes (https://docs.stripe.com/webhooks).

        Raises `WebhookSignatureError`. Of the content only the names are taken: Stripe may send old news late, so what
        is true is asked for afterwards.
        """
        try:
            stripe.WebhookSignature.verify_header(
                body, signature, self._webhook_secret, tolerance=stripe.Webhook.DEFAULT_TOLERANCE
            )
            event: dict[str, Any] = json.loads(body)
            subject: dict[str, Any] = event["data"]["object"]
            ours = subject.get("object") == "payment_intent"
            payment_id = (subject.get("metadata") or {}).get("payment_id") if ours else None
            return StripeEvent(str(event["id"]), str(event["type"]), payment_id)
        except stripe.SignatureVerificationError:
            raise WebhookSignatureError("Not signed by Stripe, or too long ago.") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise WebhookSignatureError("Not an event of Stripe.") from None


def _intent(found: stripe.PaymentIntent) -> Intent:
    # A state that is newer than our pinned version is waited out.
    state = _STATES.get(found.status, IntentState.PROCESSING)
    decline = None
    if found.status == "requires_payment_method" and found.last_payment_error is not None:
        state = IntentState.DECLINED
        decline = _reason(found.last_payment_error)
    # An id, or the whole charge where it was asked for; the double gives the whole always.
    if state is IntentState.CAPTURED and getattr(found.latest_charge, "refunded", False):
        state = IntentState.REFUNDED
    return Intent(found.id, state, found.client_secret, decline)


def _decline(error: stripe.CardError | stripe.InvalidRequestError) -> Decline:
    # Only a card's error is written for the person; any other speaks of our parameters.
    return _reason(error.error) if isinstance(error, stripe.CardError) else Decline(DECLINED_WITHOUT_REASON, error.code)


def _reason(problem: object) -> Decline:
    """From an error object of Stripe's; the double leaves fields out."""
    code = getattr(problem, "decline_code", None) or getattr(problem, "code", None)
    return Decline(getattr(problem, "message", None) or DECLINED_WITHOUT_REASON, code)


def _any_key() -> RequestOptions:
    """For a call that Stripe refuses to do twice anyhow: so that an answer that got lost is given again."""
    return {"idempotency_key": str(uuid4())}
