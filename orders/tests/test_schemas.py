import pytest
from pydantic import ValidationError

from ticketing_orders.schemas import OrderRequest, OrderResponse

pytestmark = pytest.mark.unit


def test_an_order_is_shown_in_the_contracts_shape(make_order, make_ticket):
    order = make_order(make_ticket(price_cents=1_999, venue="Opera", starts_at="2999-06-01T18:00:00Z"))
    order.version = 1
    shown = OrderResponse.of(order).model_dump(mode="json", by_alias=True)
    assert shown == {
        "id": order.id,
        "userId": order.user_id,
        "status": "created",
        "reason": None,
        "version": 1,
        "expiresAt": order.expires_at.isoformat().replace("+00:00", "Z"),
        "createdAt": order.created_at.isoformat().replace("+00:00", "Z"),
        "ticket": {
            "id": order.ticket.id,
            "title": "Opening night",
            "venue": "Opera",
            "startsAt": "2999-06-01T18:00:00Z",
            "price": 19.99,
            "currency": "usd",
        },
    }


def test_the_buyer_cannot_name_a_price_or_a_status():
    for field in ("price", "status", "userId", "expiresAt"):
        with pytest.raises(ValidationError):
            OrderRequest.model_validate_json(f'{{"ticketId": "{"a" * 24}", "{field}": 1}}')
