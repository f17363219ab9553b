"""What a payment has of its money, and webhooks about it."""

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from ticketing_common.events import PaymentStatus
from ticketing_payments.domain import Payment
from ticketing_payments.service import PaymentService

from ..scenario import Scenario

AMOUNT = 2_550


class Deliver(Protocol):
    """Sends Stripe's own events of a PaymentIntent as webhooks."""

    async def __call__(
        self,
        payment: Payment,
        *,
        times: int = ...,
        order: Callable[[list[Any]], Iterable[Any]] = ...,
        by: PaymentService | None = ...,
    ) -> None: ...


def listed_again(service: PaymentService) -> None:
    """Make Stripe's list due, as if time had passed."""
    service._stripe_events._list_at = 0.0


async def money(scenario: Scenario) -> tuple[PaymentStatus, int, bool]:
    (payment,) = await scenario.payments()
    return payment.status, payment.refunded_cents, payment.disputed
