"""The HTTP door of payments."""

from fastapi import BackgroundTasks, Depends, Request

from ticketing_common.security import CurrentUser
from ticketing_common.web import Id, ServiceRouter, idempotent

from .dependencies import PaymentLimitsDep, PaymentServiceDep, StripeSignature, limit_body
from .schemas import PaymentRequest, PaymentResponse, WebhookResponse

__all__ = ["router"]

router = ServiceRouter(tags=["payments"])


@router.post("", status_code=201, dependencies=[Depends(limit_body)])
@idempotent
async def create_payment(
    body: PaymentRequest, user: CurrentUser, service: PaymentServiceDep, limits: PaymentLimitsDep, request: Request
) -> PaymentResponse:
    """Pay an order. 402 when the card is declined, 503 when Stripe gave no answer: ask again, nothing is paid twice.

    429 after too many payments or declined cards.
    """
    await limits.check(request, user_id=user.id, about=body.order_id)
    payment = await service.pay(body.order_id, user_id=user.id, payment_method_id=body.payment_method_id)
    return PaymentResponse.of(payment)


@router.get("/{id}")
async def show_payment(payment_id: Id, user: CurrentUser, service: PaymentServiceDep) -> PaymentResponse:
    """One of one's own payments, as far as it is known here."""
    return PaymentResponse.of(await service.get(payment_id, user_id=user.id))


@router.post("/{id}/refresh", dependencies=[Depends(limit_body)])
async def refresh_payment(
    payment_id: Id, user: CurrentUser, service: PaymentServiceDep, limits: PaymentLimitsDep, request: Request
) -> PaymentResponse:
    """The same, after asking Stripe: call it when the browser has done its part."""
    await limits.check(request, user_id=user.id, about=payment_id)
    return PaymentResponse.of(await service.refresh(payment_id, user_id=user.id))


@router.post("/webhook")
async def receive_webhook(
    request: Request, background: BackgroundTasks, service: PaymentServiceDep, signature: StripeSignature
) -> WebhookResponse:
    """Stripe's own call. Answered once it is stored, and applied afterwards."""
    event = await service.receive_webhook(await request.body(), signature)
    background.add_task(service.apply_webhook, event)
    return WebhookResponse(received=True)
