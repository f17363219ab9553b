"""What the routes are given."""

from typing import Annotated, Final, TypeAlias

from fastapi import Depends, Request

from ticketing_common.errors import TooLargeError

from .service import PaymentService

__all__ = ["PaymentServiceDep", "limit_body"]

MAX_REQUEST_BYTES: Final = 64 * 1024


async def payment_service(request: Request) -> PaymentService:
    """The one service object of this process."""
    service: PaymentService = request.app.state.service
    return service


async def limit_body(request: Request) -> None:
    """The limit of everybody's requests; the service as a whole lets more through, for Stripe's webhooks."""
    if len(await request.body()) > MAX_REQUEST_BYTES:
        raise TooLargeError(f"At most {MAX_REQUEST_BYTES:,} bytes are read.")


PaymentServiceDep: TypeAlias = Annotated[PaymentService, Depends(payment_service)]
