"""What the routes are given."""

from typing import Annotated, Final, TypeAlias

from fastapi import Depends, Header, Request

from ticketing_common.errors import TooLargeError

from .errors import WebhookSignatureError
from .service import PaymentService

__all__ = ["PaymentServiceDep", "StripeSignature", "limit_body"]

MAX_REQUEST_BYTES: Final = 64 * 1024
MAX_SIGNATURE: Final = 1_024
"""Characters of a Stripe-Signature header; one signature has 64 digits, and several are sent while secrets rotate."""


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
