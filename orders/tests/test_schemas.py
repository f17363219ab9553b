import pytest
from pydantic import ValidationError

from ticketing_orders.schemas import OrderRequest, OrderResponse

from .conftest import MakeOrder, MakeTicket

pytestmark = pytest.mark.unit


def test_an_order_is_shown_in_the_contracts_shape(make_order: MakeOrder, make_ticket: MakeTicket) -> None:
    order = make_order(make_ticket(price_cents=1_999, venue="Opera", starts_at="2999-06-01T18:00:00Z"))
    order.version, order.seats = 1, (3, 4, 9)
    shown = OrderResponse.of(order).model_dump(mode="json", by_alias=True)
    assert shown == {
        "id": order.id,
        "userId": order.user_id,
        "status": "created",
        "reason": None,
        "version": 1,
        "expiresAt": order.expires_at.isoformat().replace("+00:00", "Z"),
        "createdAt": order.created_at.isoformat().replace("+00:00", "Z"),
        "quantity": 3,
        "seats": [3, 4, 9],
        "total": 59.97,
        "refundedAmount": None,
        "disputed": None,
        "ticket": {
            "id": order.ticket.id,
            "title": "Opening night",
            "venue": "Opera",
            "startsAt": "2999-06-01T18:00:00Z",
            "price": 19.99,
            "currency": "usd",
        },
    }


@pytest.mark.parametrize("quantity", [0, -1, 11, 1.5, "2", True, None])
def test_an_order_is_of_1_to_10_seats(quantity: int | float | str | bool | None) -> None:
    with pytest.raises(ValidationError):
        OrderRequest.model_validate({"ticketId": "a" * 24, "quantity": quantity})


@pytest.mark.parametrize("quantity", [1, 10])
def test_a_request_has_quantity_and_the_price_that_the_buyer_saw(quantity: int) -> None:
    request = OrderRequest.model_validate({"ticketId": "a" * 24, "quantity": quantity, "price": 19.99})
    assert (request.quantity, request.price) == (quantity, 1_999)
    plain = OrderRequest.model_validate({"ticketId": "a" * 24})
    assert (plain.quantity, plain.price) == (1, None)


def test_the_buyer_cannot_name_a_status_or_an_owner() -> None:
    for field in ("status", "userId", "expiresAt"):
        with pytest.raises(ValidationError):
            OrderRequest.model_validate_json(f'{{"ticketId": "{"a" * 24}", "{field}": 1}}')
