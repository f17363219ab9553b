"""What can go wrong with a payment, in the words of the kinds of `ticketing_common.errors`."""

from ticketing_common.errors import (
    ConflictError,
    FieldError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    PaymentDeclinedError,
    PermanentError,
    TicketingError,
    TooManyRequestsError,
    UnavailableError,
)
from ticketing_common.events import PaymentStatus

__all__ = [
    "CardDeclinedError",
    "OrderForbiddenError",
    "OrderNotFoundError",
    "OrderPaidError",
    "PaymentActiveError",
    "PaymentForbiddenError",
    "PaymentMethodRefusedError",
    "PaymentNotFoundError",
    "PaymentNotPossibleError",
    "PaymentTransitionError",
    "StripeAwayError",
    "StripeKeySpentError",
    "StripeRequestRefusedError",
    "StripeUnknownError",
    "TooManyDeclinesError",
    "WebhookSignatureError",
]


class OrderNotFoundError(NotFoundError):
    """There is no such order, or its event has not come yet."""

    def __init__(self) -> None:
        super().__init__("There is no such order.")


class OrderForbiddenError(ForbiddenError):
    """The order is somebody else's."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"Order {order_id} is not yours.")


class OrderPaidError(ConflictError):
    """The order has its payment."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"Order {order_id} is already paid.")


class PaymentNotFoundError(NotFoundError):
    """There is no such payment."""

    def __init__(self, payment_id: str) -> None:
        super().__init__(f"There is no payment {payment_id}.")


class PaymentForbiddenError(ForbiddenError):
    """The payment is somebody else's."""

    def __init__(self, payment_id: str) -> None:
        super().__init__(f"Payment {payment_id} is not yours.")


class PaymentNotPossibleError(ConflictError):
    """The order is not one that can be paid now; nothing is charged."""


class PaymentActiveError(ConflictError):
    """The order has a payment under way: the unique index said so."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"A payment of order {order_id} is under way.")


class PaymentTransitionError(ConflictError, PermanentError):
    """The payment may not go from where it stands to there."""

    def __init__(self, payment_id: str, current: PaymentStatus, target: PaymentStatus) -> None:
        super().__init__(f"Payment {payment_id} is {current} and cannot become {target}.")


class CardDeclinedError(PaymentDeclinedError):
    """The bank said no; `detail` is its reason in Stripe's words, made for the person who pays."""

    def __init__(self, detail: str, code: str | None = None) -> None:
        self.code = code
        super().__init__(detail)


class TooManyDeclinesError(TooManyRequestsError):
    """So many cards were refused that no further one is tried now; `limit` is that of the order or of the account."""

    def __init__(self, limit: str, *, retry_after_seconds: int) -> None:
        detail = "Too many cards were declined. No further one is tried for now."
        super().__init__(detail, retry_after_seconds=retry_after_seconds, limit=limit)


class PaymentMethodRefusedError(InvalidInputError):
    """Stripe refuses the caller's payment method: it is unknown, used up, or of a kind that cannot be used here."""

    def __init__(self) -> None:
        detail = "This payment method is not accepted."
        super().__init__(detail, errors=(FieldError(detail, "paymentMethodId"),))


class StripeUnknownError(UnavailableError):
    """No definite answer came from Stripe: what was asked may or may not have happened. It is found out later."""

    def __init__(
        self,
        detail: str = "The card processor gave no answer. You are not charged twice when you try again.",
        *,
        retry_after_seconds: int = 2,
    ) -> None:
        super().__init__(detail, retry_after_seconds=retry_after_seconds)


class StripeAwayError(StripeUnknownError):
    """Stripe was not asked: it has not answered for a while, or too many calls wait for it already.

    A kind of the unknown on purpose: an earlier call of the same payment may have been heard, so nothing is decided.
    """

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(
            "The card processor is not available at the moment. Your ticket stays held; please try again.",
            retry_after_seconds=retry_after_seconds,
        )


class StripeKeySpentError(StripeUnknownError):
    """Stripe broke down over this key and repeats that answer for a day: only a new attempt, with a new key, helps."""


class StripeRequestRefusedError(TicketingError):
    """Stripe refuses a request for a fault of ours (an amount, a parameter); nothing was charged. Answered with 500."""

    def __init__(self) -> None:
        super().__init__("The payment could not be made, through no fault of yours. Nothing was charged.")


class WebhookSignatureError(TicketingError):
    """Not signed by Stripe, or too long ago. The one 400 of the product: Stripe's own convention for webhooks."""

    status = 400
    title = "The signature is not valid"
