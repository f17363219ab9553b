"""Payments as JSON."""

from typing import Annotated, Self

from pydantic import Field

from ticketing_common.events import PaymentStatus
from ticketing_common.web import ApiModel, RequestModel, from_cents

from .domain import Payment


class PaymentRequest(RequestModel):
    """The order to pay and the payment method. The order determines the price.

    Any string is accepted as an order id: a malformed id is a 404, like an unknown one. Without a payment method, the
    browser enters the card with the response's `clientSecret`.
    """

    order_id: str
    payment_method_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,255}$")] | None = None


class PaymentResponse(ApiModel):
    """A payment. `client_secret` is set only while the payment waits for the buyer's browser.

    `refunded_amount` is the part of `amount` that was refunded or lost in a dispute. `disputed`: a dispute is open.
    """

    id: str
    order_id: str
    status: PaymentStatus
    amount: float
    currency: str
    refunded_amount: float
    disputed: bool
    client_secret: str | None

    @classmethod
    def of(cls, payment: Payment) -> Self:
        return cls(
            id=payment.id,
            order_id=payment.order_id,
            status=payment.status,
            amount=from_cents(payment.amount_cents),
            currency=payment.currency,
            refunded_amount=from_cents(payment.refunded_cents),
            disputed=payment.disputed,
            client_secret=payment.client_secret if payment.status is PaymentStatus.REQUIRES_ACTION else None,
        )


class WebhookResponse(ApiModel):
    """The event is stored; Stripe need not send it again."""

    received: bool
