"""The dependencies of the routes: the service, rate limits and the body limit."""

from typing import Annotated, Final, TypeAlias

from fastapi import Request

from ticketing_common.errors import TooLargeError
from ticketing_common.web import CallerLimits, RateLimiter, part_of_app

from .service import PaymentService
from .settings import Settings

MAX_REQUEST_BYTES: Final = 64 * 1024


class PaymentLimits:
    """Rate limits of the calls that reach Stripe: per account, per address, and per order or payment.

    They slow down card testing. The number of declined cards is counted in the database (`declines.py`).
    """

    def __init__(self, settings: Settings) -> None:
        account = settings.rate_limit_payments
        self._caller = CallerLimits("payments", account=account, address=settings.rate_limit_payments_address)
        one = "off" if account == "off" else settings.rate_limit_payments_order
        self._one = RateLimiter(one, name="payments-order")

    async def check(self, request: Request, *, user_id: str, about: str) -> None:
        """Count a call about this order or payment. Raises `TooManyRequestsError`."""
        await self._caller.check(request, user_id)
        await self._one.check(request, user_id, about)


async def limit_body(request: Request) -> None:
    """Raise `TooLargeError` over 64 KiB. The limit of the whole service is higher, because of Stripe's webhooks."""
    if len(await request.body()) > MAX_REQUEST_BYTES:
        raise TooLargeError(f"At most {MAX_REQUEST_BYTES:,} bytes are read.")


PaymentServiceDep: TypeAlias = Annotated[PaymentService, part_of_app("service")]
PaymentLimitsDep: TypeAlias = Annotated[PaymentLimits, part_of_app("payment_limits")]
