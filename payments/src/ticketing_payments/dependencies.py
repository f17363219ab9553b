"""What the routes are given."""

from typing import Annotated, Final, TypeAlias

from fastapi import Depends, Header, Request

from ticketing_common.errors import TooLargeError
from ticketing_common.web import CallerLimits, RateLimiter, address

from .errors import WebhookSignatureError
from .service import PaymentService
from .settings import Settings

__all__ = ["PaymentLimits", "PaymentLimitsDep", "PaymentServiceDep", "StripeSignature", "limit_body"]

MAX_REQUEST_BYTES: Final = 64 * 1024
MAX_SIGNATURE: Final = 1_024
"""Characters of a Stripe-Signature header; one signature has 64 digits, and several are sent while secrets rotate."""


class PaymentLimits:
    """Calls that reach Stripe: so many per account, more per address, and few about one order or payment.

    They slow down whoever tests cards. How many cards may be refused is counted in the database (`declines.py`).
    """

    def __init__(self, settings: Settings) -> None:
        account = settings.rate_limit_payments
        self._caller = CallerLimits("payments", account=account, address=settings.rate_limit_payments_address)
        one = "off" if account == "off" else settings.rate_limit_payments_order
        self._one = RateLimiter(one, name="payments-order")

    async def check(self, request: Request, *, user_id: str, about: str) -> None:
        """Count a call about this order or payment; raises `TooManyRequestsError`."""
        await self._caller.check(request, user_id=user_id, address=await address(request))
        await self._one.check(request, user_id, about)


async def payment_limits(request: Request) -> PaymentLimits:
    """The counters of this process."""
    limits: PaymentLimits = request.app.state.payment_limits
    return limits


async def payment_service(request: Request) -> PaymentService:
    """The one service object of this process."""
    service: PaymentService = request.app.state.service
    return service


async def limit_body(request: Request) -> None:
    """The limit of everybody's requests; the service as a whole lets more through, for Stripe's webhooks."""
    if len(await request.body()) > MAX_REQUEST_BYTES:
        raise TooLargeError(f"At most {MAX_REQUEST_BYTES:,} bytes are read.")


async def stripe_signature(stripe_signature: Annotated[str | None, Header()] = None) -> str | None:
    """The header as it came; raises `WebhookSignatureError` when it is too long to be one of Stripe's."""
    if stripe_signature is not None and len(stripe_signature) > MAX_SIGNATURE:
        raise WebhookSignatureError("Not signed by Stripe.")
    return stripe_signature


StripeSignature: TypeAlias = Annotated[str | None, Depends(stripe_signature)]
PaymentServiceDep: TypeAlias = Annotated[PaymentService, Depends(payment_service)]
PaymentLimitsDep: TypeAlias = Annotated[PaymentLimits, Depends(payment_limits)]
