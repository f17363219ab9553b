"""Errors of the payments service, each a subclass of a kind in `ticketing_common.errors`."""

from ticketing_common.errors import (
    ConflictError,
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


class OrderNotFoundError(NotFoundError):
    """There is no such order, or its event has not arrived yet."""

    detail = "There is no such order."


class OrderForbiddenError(ForbiddenError):
    """The order belongs to another user."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"Order {order_id} is not yours.")


class OrderPaidError(ConflictError):
    """The order is already paid."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"Order {order_id} is already paid.")


class PaymentForbiddenError(ForbiddenError):
    """The payment belongs to another user."""

    def __init__(self, payment_id: str) -> None:
        super().__init__(f"Payment {payment_id} is not yours.")


class PaymentNotPossibleError(ConflictError):
    """The order cannot be paid now. Nothing is charged."""


class PaymentActiveError(ConflictError):
    """The order has an active payment, so the unique index refuses another."""

    def __init__(self, order_id: str) -> None:
        super().__init__(f"A payment of order {order_id} is under way.")


class PaymentTransitionError(ConflictError, PermanentError):
    """A change of status that the transition table does not allow."""

    def __init__(self, payment_id: str, current: PaymentStatus, target: PaymentStatus) -> None:
        super().__init__(f"Payment {payment_id} is {current} and cannot become {target}.")


class CardDeclinedError(PaymentDeclinedError):
    """The bank declined the card. `detail` is Stripe's message for the buyer."""

    def __init__(self, detail: str, code: str | None = None) -> None:
        self.code = code
        super().__init__(detail)


class TooManyDeclinesError(TooManyRequestsError):
    """The order or the account has reached its limit of failed attempts. `limit` names which of the two."""

    def __init__(self, limit: str, *, retry_after_seconds: int) -> None:
        detail = "Too many cards were declined. No further one is tried for now."
        super().__init__(detail, retry_after_seconds=retry_after_seconds, limit=limit)


class PaymentMethodRefusedError(InvalidInputError):
    """Stripe refuses the caller's payment method: it is unknown, already used, or of an unsupported kind."""

    detail = "This payment method is not accepted."
    field = "paymentMethodId"


class StripeUnknownError(UnavailableError):
    """Stripe gave no definite response: the call may or may not have taken effect. The reconciler finds out later."""

    detail = "The card processor gave no answer. You are not charged twice when you try again."
    retry_after_seconds = 2


class StripeAwayError(StripeUnknownError):
    """The call to Stripe was not made: the circuit breaker is open, or too many calls already wait.

    It is a subclass of `StripeUnknownError` on purpose: an earlier call for the same payment may have taken effect, so
    the outcome is still unknown.
    """

    detail = "The card processor is not available at the moment. Your ticket stays held; please try again."

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(retry_after_seconds=retry_after_seconds)


class StripeKeySpentError(StripeUnknownError):
    """Stripe failed on this idempotency key and repeats that response for a day, so a new attempt needs a new key."""


class StripeRequestRefusedError(TicketingError):
    """Stripe refuses our request as invalid (an amount, a parameter). Nothing was charged. The status is 500."""

    detail = "The payment could not be made, through no fault of yours. Nothing was charged."


class WebhookSignatureError(TicketingError):
    """Not signed by Stripe, or signed too long ago. Its status is 400 by Stripe's convention for webhooks."""

    status = 400
    title = "The signature is not valid"
