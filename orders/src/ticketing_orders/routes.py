"""The HTTP adapter of orders."""

import asyncio
from typing import Annotated, Any, Final

from fastapi import Depends, Path, Request, Response

from ticketing_common.security import CurrentUser
from ticketing_common.web import (
    EVENT_STREAM,
    PAGING,
    CreationId,
    EventStream,
    Id,
    LiveFeedDep,
    NoFields,
    PageRequestDep,
    ServiceRouter,
    SseMessage,
    ViewerDep,
    idempotent,
    link_next,
    only_parameters,
)

from .dependencies import OrderServiceDep, PassServiceDep, limit_holds
from .domain import Order
from .early_refusal import refused_early
from .feed import order_as_message
from .pass_files import calendar_file, qr_code
from .schemas import (
    CheckinCountsResponse,
    CheckinRequest,
    CheckinResponse,
    ListingId,
    OrderRequest,
    OrderResponse,
    PassKeysResponse,
    PassResponse,
)
from .service import OrderService

router = ServiceRouter(tags=["orders"])

KEYS_FRESH_SECONDS: Final = 300
"""How long a scanner may keep the keys without asking again; a new key is published longer than that before its use."""


async def _shown(order: Order, service: OrderService) -> OrderResponse:
    """With what became of the money. Lookups at the same time share one query."""
    return OrderResponse.of(order, await service.payment_of(order))


def _file(media_type: str) -> dict[int | str, dict[str, Any]]:
    """For OpenAPI: the response is a file of this type."""
    return {200: {"content": {media_type: {}}}}


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


@router.get("", dependencies=[only_parameters(*PAGING)])
async def list_orders(
    page_request: PageRequestDep, user: CurrentUser, service: OrderServiceDep, request: Request, response: Response
) -> list[OrderResponse]:
    """The caller's own orders, newest first."""
    page = await service.list_own(user_id=user.id, page=page_request)
    link_next(request, response, page)
    return await asyncio.gather(*(_shown(order, service) for order in page.items))


# Declared before /{id}, which would match "pass-keys" and "checkins" as ids.
@router.get("/pass-keys")
async def show_pass_keys(service: PassServiceDep, response: Response) -> PassKeysResponse:
    """The public keys that verify the codes of passes, as a JWK set (RFC 7517). Public, and fresh for five minutes."""
    response.headers["Cache-Control"] = f"public, max-age={KEYS_FRESH_SECONDS}"
    return PassKeysResponse(keys=service.public_keys())


@router.post("/checkins", status_code=201)
@idempotent
async def create_checkin(
    body: CheckinRequest, user: CurrentUser, service: PassServiceDep, checkin_id: CreationId
) -> CheckinResponse:
    """Admit with the code of a pass, once; by the seller of its listing.

    409 with `passStatus` `used` and `firstAt`, the time of the check-in, when the pass was used; 409 with `passStatus`
    `void` when its order has ended or the event is called off; both with `passId` and `seat`. 403 for a pass of another
    seller's listing. 422 for a code that is no pass of this marketplace.
    """
    return CheckinResponse.model_validate(await service.check_in(body.code, user_id=user.id, checkin_id=checkin_id))


@router.get("/checkins", dependencies=[only_parameters("ticketId")])
async def count_checkins(ticket_id: ListingId, user: CurrentUser, service: PassServiceDep) -> CheckinCountsResponse:
    """The sold seats and check-ins of one of the caller's own listings, and the passes that are void."""
    return CheckinCountsResponse.model_validate(await service.counts(ticket_id, user_id=user.id))


# So is this one.
@router.get("/sales", dependencies=[only_parameters("ticketId", *PAGING)])
async def list_sales(
    ticket_id: ListingId,
    page_request: PageRequestDep,
    user: CurrentUser,
    service: OrderServiceDep,
    request: Request,
    response: Response,
) -> list[OrderResponse]:
    """The paid orders of one of the caller's own listings, newest first: those that the caller may refund.

    403 unless the caller sells the listing.
    """
    page = await service.list_sales(ticket_id, seller_id=user.id, page=page_request)
    link_next(request, response, page)
    return await asyncio.gather(*(_shown(order, service) for order in page.items))


@router.get("/{id}")
async def show_order(order_id: Id, user: CurrentUser, service: OrderServiceDep) -> OrderResponse:
    """One of the caller's own orders."""
    return await _shown(await service.get(order_id, user_id=user.id), service)


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


@router.get("/{id}/passes")
async def list_passes(order_id: Id, user: CurrentUser, service: PassServiceDep) -> list[PassResponse]:
    """The passes of one of the caller's own orders, by seat; all void when it was complete and has ended.

    409 when it never was complete.
    """
    return [PassResponse.model_validate(one) for one in await service.list_of_order(order_id, user_id=user.id)]


@router.get("/{id}/passes/{passId}.svg", response_class=Response, responses=_file("image/svg+xml"))
async def show_pass_code(
    order_id: Id, pass_id: Annotated[str, Path(alias="passId")], user: CurrentUser, service: PassServiceDep
) -> Response:
    """The QR code of a pass. 409 when the order never was complete, or has ended."""
    code = await service.code(order_id, pass_id, user_id=user.id)
    return Response(await asyncio.to_thread(qr_code, code), media_type="image/svg+xml")


@router.get("/{id}/event.ics", response_class=Response, responses=_file("text/calendar"))
async def show_calendar_file(order_id: Id, user: CurrentUser, service: PassServiceDep) -> Response:
    """The event for a calendar (RFC 5545). 409 when the order is not complete, or the event has no time."""
    order = await service.dated_order(order_id, user_id=user.id)
    headers = {"Content-Disposition": 'attachment; filename="event.ics"'}
    return Response(calendar_file(order), headers=headers, media_type="text/calendar; charset=utf-8")


@router.post("/{id}/refund", status_code=202, dependencies=[NoFields])
@idempotent
async def refund_order(order_id: Id, user: CurrentUser, service: OrderServiceDep) -> OrderResponse:
    """The seller returns the money of a paid order; idempotent.

    The order ends at once (`refunded`) and its seats are free; the money follows. 403 unless the caller sells the
    listing. 409 when the order is unpaid, or ended for another reason.
    """
    return OrderResponse.of(await service.refund(order_id, seller_id=user.id))
