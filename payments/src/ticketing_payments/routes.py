"""The HTTP routes of payments."""

from typing import Annotated

from fastapi import BackgroundTasks, Depends, Header, Request

from ticketing_common.security import CurrentUser
from ticketing_common.web import Id, ServiceRouter, idempotent

from .dependencies import PaymentLimitsDep, PaymentServiceDep, limit_body
from .schemas import PaymentRequest, PaymentResponse, WebhookResponse

router = ServiceRouter(tags=["payments"])


@router.post("", status_code=201, dependencies=[Depends(limit_body)])
@idempotent
async def create_payment(
    body: PaymentRequest, user: CurrentUser, service: PaymentServiceDep, limits: PaymentLimitsDep, request: Request
) -> PaymentResponse:
    """Pay an order.

    402: the card is declined. 429: too many payments or declined cards. 503: Stripe gave no response; repeat the
    request, the buyer is not charged twice.
    """
    await limits.check(request, user_id=user.id, about=body.order_id)
    payment = await service.pay(body.order_id, user_id=user.id, payment_method_id=body.payment_method_id)
    return PaymentResponse.of(payment)


@router.get("/{id}")
async def show_payment(payment_id: Id, user: CurrentUser, service: PaymentServiceDep) -> PaymentResponse:
    """A payment of the signed-in user, as stored here."""
    return PaymentResponse.of(await service.get(payment_id, user_id=user.id))


@router.post("/{id}/refresh", dependencies=[Depends(limit_body)])
async def refresh_payment(
    payment_id: Id, user: CurrentUser, service: PaymentServiceDep, limits: PaymentLimitsDep, request: Request
) -> PaymentResponse:
    """Ask Stripe about a payment of the signed-in user and return it. Call it after the browser's step at Stripe."""
    await limits.check(request, user_id=user.id, about=payment_id)
    return PaymentResponse.of(await service.refresh(payment_id, user_id=user.id))


@router.post("/webhook")
async def receive_webhook(
    request: Request,
    background: BackgroundTasks,
    service: PaymentServiceDep,
    stripe_signature: Annotated[str | None, Header()] = None,
) -> WebhookResponse:
    """Webhook of Stripe. The response is sent when the event is stored; the event is applied afterwards."""
    event = await service.receive_webhook(await request.body(), stripe_signature)
    if not event.applied:
        background.add_task(service.apply_webhook, event)
    return WebhookResponse(received=True)
