"""The call to Stripe of each step."""

from ticketing_payments.domain import Intent, Payment, Step
from ticketing_payments.stripe_gateway import StripeGateway


async def take_step(stripe: StripeGateway, step: Step, payment: Payment) -> Intent | None:
    """Make one call to Stripe. None if Stripe has no PaymentIntent of this payment. Raises what the gateway raises."""
    if step is Step.CREATE:
        return await stripe.create(payment)
    if payment.stripe_id is None:
        return None
    match step:
        case Step.CONFIRM:
            return await stripe.confirm(payment.stripe_id)
        case Step.CAPTURE:
            return await stripe.capture(payment)
        case Step.VOID:
            return await stripe.cancel(payment.stripe_id)
        case Step.REFUND:
            return await stripe.refund(payment)
        case _:
            return await stripe.retrieve(payment.stripe_id)
