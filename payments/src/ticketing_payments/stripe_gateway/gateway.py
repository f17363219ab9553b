"""Adapter to Stripe in domain types: one PaymentIntent per payment, with manual capture, and Stripe's events.

A PaymentIntent is created first, and confirmed by a second call after its id is stored. Creating it moves no money.
Every call that moves money names a known id. So after a lost response one retrieval shows the outcome, and the
retrieval itself never authorises anything.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Final, Self
from uuid import uuid4

import stripe
from stripe.params import (
    DisputeListParams,
    EventListParams,
    PaymentIntentCreateParams,
    RefundCreateParams,
)

from ticketing_common.telemetry import get_logger
from ticketing_payments.domain import (
    METHOD_REFUSED,
    MONEY_BACK,
    OPEN_STATES,
    Decline,
    Intent,
    IntentState,
    Payment,
    Step,
    StripeEvent,
)
from ticketing_payments.errors import (
    CardDeclinedError,
    PaymentMethodRefusedError,
    StripeKeySpentError,
    StripeRequestRefusedError,
    StripeUnknownError,
)
from ticketing_payments.settings import Settings

from .calls import StripeCalls, unknown, was_replayed
from .events import read_events, read_webhook
from .intents import Json, charge_of, decline_of, intent_of, with_money
from .profiles import PROFILES
from .refusals import blames_method, ends_authorization, init_refusal_series, note_refusal
from .transport import StripeTransport

log = get_logger(__name__)

API_VERSION: Final = "2026-10-28.endive"
"""Pinned, because requests and parsing were written against this version (https://docs.stripe.com/api/versioning)."""

INTENTS: Final = "/v1/payment_intents"
PAGE: Final = 100
"""The largest page that Stripe returns (https://docs.stripe.com/api/pagination)."""


class StripeGateway:
    """Each call returns Stripe's state of the PaymentIntent after the call.

    Every call raises `StripeUnknownError` without a definite response: after a timeout, a lost connection, an error at
    Stripe, or a refusal that the buyer did not cause (for example a wrong key). Every call raises the subclass
    `StripeAwayError` if no call to Stripe was made.
    """

    def __init__(self, client: stripe.StripeClient, settings: Settings) -> None:
        self._ask = client.raw_request_async
        self._refunds = client.v1.refunds
        self._charges = client.v1.charges
        self._disputes = client.v1.disputes
        self._events = client.v1.events
        self._webhook_secret = settings.stripe_webhook_secret.get_secret_value()
        self._profile = PROFILES[settings.stripe_parameter_profile]
        self._calls = StripeCalls(settings, may_repeat=self._profile.may_repeat)
        init_refusal_series()

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
                max_network_retries=0,  # only `StripeCalls` retries
                base_addresses={"api": address},
            )
            yield cls(client, settings)

    async def take(self, step: Step, payment: Payment) -> Intent | None:
        """Make the call of this step. None if Stripe has no PaymentIntent of it. Raises what the call raises."""
        if step is Step.CREATE:
            return await self.create(payment)
        if payment.stripe_id is None:
            return None
        match step:
            case Step.CONFIRM:
                return await self.confirm(payment.stripe_id)
            case Step.CAPTURE:
                return await self.capture(payment)
            case Step.VOID:
                return await self.cancel(payment.stripe_id)
            case Step.REFUND:
                return await self.refund(payment)
            case _:
                return await self.retrieve(payment.stripe_id)

    async def create(self, payment: Payment) -> Intent:
        """Create the payment's PaymentIntent. A repeated call returns the same one: the payment has its own key.

        Raises `PaymentMethodRefusedError` or `CardDeclinedError` if Stripe refuses the buyer's payment method,
        `StripeRequestRefusedError` if it refuses our request, and `StripeKeySpentError` if the key's stored response is
        a 5xx (https://docs.stripe.com/error-low-level).
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
            return await self._post("", payment.id, params, key=payment.idempotency_key)
        except stripe.CardError as error:
            decline = decline_of(error)
            raise CardDeclinedError(decline.message, decline.code) from None
        except stripe.InvalidRequestError as error:
            if blames_method(error):
                log.info("stripe refuses the payment method", payment_id=payment.id, code=error.code)
                raise PaymentMethodRefusedError from None
            note_refusal(error, payment.id)
            raise StripeRequestRefusedError from None
        except stripe.StripeError as error:
            if was_replayed(error):
                raise StripeKeySpentError from None
            raise

    async def retrieve(self, intent_id: str) -> Intent:
        """Stripe's current state; for captured money also the refunded amount, and whether a dispute is open."""
        try:
            found = await self._intent("get", f"/{intent_id}", intent_id, {"expand": ["latest_charge"]})
            charge = charge_of(found)
            if charge is None:
                return intent_of(found)
            disputes = await self._disputes_of(intent_id) if charge["disputed"] else []
            return with_money(intent_of(found), found, charge, disputes)
        except stripe.StripeError as error:
            unknown(error, intent_id)

    async def _disputes_of(self, intent_id: str) -> list[stripe.Dispute]:
        params: DisputeListParams = {"payment_intent": intent_id, "limit": PAGE}
        listed = await self._calls.make(lambda: self._disputes.list_async(params), about=intent_id)
        return listed.data

    async def confirm(self, intent_id: str) -> Intent:
        """Ask the bank for authorisation. Stripe refuses a second confirmation, so the key is for this call's retries.

        Raises `StripeRequestRefusedError` if Stripe refuses our request.
        """
        try:
            return await self._post(f"/{intent_id}/confirm", intent_id, self._profile.confirm)
        except stripe.CardError as error:
            return Intent(intent_id, IntentState.DECLINED, decline=decline_of(error))
        except stripe.InvalidRequestError as error:
            # Another replica was faster, the card is not usable, or our request is invalid: check the state first.
            intent = await self.retrieve(intent_id)
            if intent.state is not IntentState.UNCONFIRMED:
                return intent
            if blames_method(error):
                return Intent(
                    intent_id, IntentState.DECLINED, decline=Decline(PaymentMethodRefusedError().detail, METHOD_REFUSED)
                )
            note_refusal(error, intent_id)
            raise StripeRequestRefusedError from None
        except stripe.StripeError as error:
            unknown(error, intent_id)

    async def capture(self, payment: Payment) -> Intent:
        """Capture the authorised amount, with the same key on every try.

        The result AUTHORIZED with a `decline` means that the capture failed permanently. If Stripe refuses our request,
        the sale does not end: the refusal is counted, `StripeUnknownError` is raised, and the capture is tried again.
        """
        intent_id = str(payment.stripe_id)
        try:
            return await self._post(f"/{intent_id}/capture", intent_id, {}, key=f"{payment.idempotency_key}:capture")
        except (stripe.CardError, stripe.InvalidRequestError) as error:
            intent = await self.retrieve(intent_id)
            if intent.state is not IntentState.AUTHORIZED:
                return intent
            if ends_authorization(error):
                return Intent(intent_id, IntentState.AUTHORIZED, decline=decline_of(error))
            unknown(error, intent_id)
        except stripe.StripeError as error:
            unknown(error, intent_id)

    async def cancel(self, intent_id: str) -> Intent:
        """Cancel the PaymentIntent: void its authorisation, and prevent any later one."""
        try:
            return await self._post(f"/{intent_id}/cancel", intent_id, self._profile.cancel)
        except stripe.InvalidRequestError as error:
            intent = await self.retrieve(intent_id)  # already cancelled, or captured, which needs a refund
            if intent.state in OPEN_STATES - {IntentState.PROCESSING}:
                note_refusal(error, intent_id)
            return intent
        except stripe.StripeError as error:
            unknown(error, intent_id)

    async def refund(self, payment: Payment) -> Intent:
        """Refund the rest of the captured amount. The result is CAPTURED while an open dispute prevents the refund.

        Without an amount Stripe refunds the rest and never more, so a second key cannot refund anything twice. The
        second key is for a refusal that Stripe stores for the first (https://docs.stripe.com/api/idempotent_requests).
        """
        intent_id = str(payment.stripe_id)
        intent = await self.retrieve(intent_id)
        params: RefundCreateParams = {**self._profile.refund, "payment_intent": intent_id}
        for key in (f"{payment.idempotency_key}:refund", str(uuid4())):
            if intent.state is not IntentState.CAPTURED or intent.withdrawn:
                return intent
            refusal: stripe.StripeError | None = None
            try:
                await self._calls.make(
                    partial(self._refunds.create_async, params, {"idempotency_key": key}), about=intent_id
                )
            except stripe.InvalidRequestError as error:
                refusal = error
            except stripe.StripeError as error:
                unknown(error, intent_id)
            intent = await self.retrieve(intent_id)
            if refusal is None:
                return intent
            if intent.state is IntentState.CAPTURED and not intent.withdrawn:
                note_refusal(refusal, intent_id)
        if intent.state is IntentState.CAPTURED and not intent.withdrawn:
            raise StripeUnknownError
        return intent

    async def find_intent_id(self, charge_id: str) -> str | None:
        """The id of a charge's PaymentIntent, or None if it has none and so does not belong to this service."""
        try:
            charge = await self._calls.make(lambda: self._charges.retrieve_async(charge_id), about=charge_id)
        except stripe.StripeError as error:
            if error.http_status == HTTPStatus.NOT_FOUND:
                return None
            unknown(error, charge_id)
        found = charge.payment_intent
        return found.id if isinstance(found, stripe.PaymentIntent) else found

    async def list_money_back(self, since: int | None) -> AsyncIterator[list[StripeEvent]]:
        """Pages of Stripe's events of refunds and disputes since `since` (Unix seconds), newest first.

        Without `since`, all events that Stripe keeps: those of 30 days (https://docs.stripe.com/api/events).
        """
        params: EventListParams = {"types": list(MONEY_BACK), "limit": PAGE}
        if since is not None:
            params["created"] = {"gte": since}
        while True:
            try:
                page = await self._calls.make(partial(self._events.list_async, params), about="events")
            except stripe.StripeError as error:
                unknown(error, "events")
            yield read_events(page.data)
            if not page.has_more or not page.data:
                return
            params["starting_after"] = page.data[-1].id

    async def _post(self, path: str, about: str, params: Mapping[str, object], *, key: str | None = None) -> Intent:
        """Change a PaymentIntent; the result is its state. Without a `key`, one for the retries of this call alone."""
        return intent_of(await self._intent("post", path, about, params, idempotency_key=key or str(uuid4())))

    async def _intent(self, method: str, path: str, about: str, params: Mapping[str, object], **options: str) -> Json:
        call = partial(self._ask, method, f"{INTENTS}{path}", **params, **options)
        response = await self._calls.make(call, about=about)
        found = response.data
        if not isinstance(found, Mapping) or not {"id", "status"} <= found.keys():
            log.error("unreadable payment intent", about=about)
            raise StripeUnknownError
        return found

    def read_webhook(self, body: bytes, signature: str | None) -> StripeEvent:
        """The event in a webhook. Raises `WebhookSignatureError`."""
        return read_webhook(body, signature, self._webhook_secret)
