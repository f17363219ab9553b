"""The HTTP adapter of orders."""

from fastapi import Depends, Request, Response

from ticketing_common.security import CurrentUser
from ticketing_common.web import (
    EVENT_STREAM,
    CreationId,
    EventStream,
    Id,
    LiveFeedDep,
    PageRequestDep,
    PagingOnly,
    ServiceRouter,
    SseMessage,
    ViewerDep,
    idempotent,
    link_next,
)

from .dependencies import OrderServiceDep, limit_holds
from .early_refusal import refused_early
from .feed import order_as_message
from .schemas import OrderRequest, OrderResponse, SaleSearchDep

__all__ = ["router"]

router = ServiceRouter(tags=["orders"])


@router.post("", status_code=201, dependencies=[Depends(limit_holds)])
@refused_early
@idempotent
async def create_order(
    body: OrderRequest, user: CurrentUser, service: OrderServiceDep, order_id: CreationId
) -> OrderResponse:
    """Hold seats of a ticket until the order is paid, cancelled or expires.

    409 when fewer seats are free (`available` is their number), when the price has changed (`price` is the current
    one), and when the event has begun or is called off.
    """
    order = await service.place(
        body.ticket_id, user_id=user.id, quantity=body.quantity, price_cents=body.price, order_id=order_id
    )
    return OrderResponse.of(order)


@router.get("", dependencies=[PagingOnly])
async def list_orders(
    page_request: PageRequestDep, user: CurrentUser, service: OrderServiceDep, request: Request, response: Response
) -> list[OrderResponse]:
    """The caller's own orders, newest first."""
    page = await service.list_own(user_id=user.id, page=page_request)
    link_next(request, response, page)
    return [OrderResponse.of(order) for order in page.items]


# Declared before /{id}, which would match "sales" as an id.
@router.get("/sales")
async def list_sales(
    of: SaleSearchDep,
    page_request: PageRequestDep,
    user: CurrentUser,
    service: OrderServiceDep,
    request: Request,
    response: Response,
) -> list[OrderResponse]:
    """The paid orders of one of the caller's own listings, newest first: those that the caller may refund.

    403 unless the caller sells the listing.
    """
    page = await service.list_sales(of, seller_id=user.id, page=page_request)
    link_next(request, response, page)
    return [OrderResponse.of(order) for order in page.items]


@router.get("/{id}")
async def show_order(order_id: Id, user: CurrentUser, service: OrderServiceDep) -> OrderResponse:
    """One of the caller's own orders."""
    return OrderResponse.of(await service.get(order_id, user_id=user.id))


@router.get("/{id}/stream", response_class=EventStream, responses=EVENT_STREAM)
async def stream_order(
    order_id: Id, user: CurrentUser, service: OrderServiceDep, feed: LiveFeedDep, viewer: ViewerDep
) -> EventStream:
    """Sends `order` with the order as GET shows it: first now, then at each change, until the session ends."""

    async def state() -> tuple[int, SseMessage]:
        order = await service.get(order_id, user_id=user.id)
        return order.version, order_as_message(order)

    return EventStream(feed.watch(viewer, order_id, state, until=user.expires_at))


@router.delete("/{id}", status_code=204)
async def cancel_order(order_id: Id, user: CurrentUser, service: OrderServiceDep) -> Response:
    """Cancel the order and release its seats; idempotent. 409 when the order is paid."""
    await service.cancel(order_id, user_id=user.id)
    return Response(status_code=204)


@router.post("/{id}/refund", status_code=202)
@idempotent
async def refund_order(order_id: Id, user: CurrentUser, service: OrderServiceDep) -> OrderResponse:
    """The seller returns the money of a paid order; idempotent.

    The order ends at once (`refunded`) and its seats are free; the money follows. 403 unless the caller sells the
    listing. 409 when the order is unpaid, or ended for another reason.
    """
    return OrderResponse.of(await service.refund(order_id, seller_id=user.id))
