from typing import Any

import pytest

from ticketing_common.entity import new_id
from ticketing_common.events import (
    OrderData,
    OrderReason,
    OrderStatus,
)

from ..scenario import make_order
from .api import GOOD, PaymentsApi, card

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_paying_twice_is_a_409(api: PaymentsApi, order: OrderData) -> None:
    assert (await api.pay(order)).status_code == 201
    assert (await api.pay(order)).status_code == 409
    complete = order.model_copy(update={"version": 2, "status": OrderStatus.COMPLETE})
    await api.service.follow_order(complete)
    assert (await api.pay(order)).status_code == 409


async def test_a_cancelled_order_is_a_409(api: PaymentsApi, order: OrderData) -> None:
    cancelled = order.model_copy(update={"version": 2, "status": OrderStatus.CANCELLED, "reason": OrderReason.BUYER})
    await api.service.follow_order(cancelled)
    before = await api.count()
    assert (await api.pay(order)).status_code == 409
    assert await api.count() == before


async def test_an_expired_hold_is_a_409(api: PaymentsApi) -> None:
    order = make_order(window_seconds=-1)
    await api.service.follow_order(order)
    assert (await api.pay(order)).status_code == 409


async def test_another_buyers_order_is_a_403(api: PaymentsApi, order: OrderData) -> None:
    before = await api.count()
    assert (await api.pay(order, user_id=new_id())).status_code == 403
    assert await api.count() == before


@pytest.mark.parametrize("order_id", ["65f0c0ffee0123456789abcd", "abc", "", "x" * 24, "../orders"])
async def test_an_unknown_or_malformed_order_is_a_404(api: PaymentsApi, order_id: str) -> None:
    body = {"orderId": order_id, "paymentMethodId": GOOD}
    assert (await api.call("POST", user_id=new_id(), json=body)).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "orderId"),
        ({"orderId": 1}, "orderId"),
        ({"orderId": None}, "orderId"),
        ({"orderId": "1", "paymentMethodId": 5}, "paymentMethodId"),
        ({"orderId": "1", "paymentMethodId": ""}, "paymentMethodId"),
        ({"orderId": "1", "paymentMethodId": "pm_1/../../x"}, "paymentMethodId"),
        ({"orderId": "1", "paymentMethodId": "p" * 256}, "paymentMethodId"),
        ({"orderId": "1", "amount": 1}, "amount"),
        ({"orderId": "1", "status": "captured"}, "status"),
    ],
)
async def test_wrong_input_is_a_422_that_names_the_field(api: PaymentsApi, body: dict[str, Any], field: str) -> None:
    answer = await api.call("POST", user_id=new_id(), json=body)
    assert answer.status_code == 422
    assert field in [error.get("field") for error in answer.json()["errors"]]


async def test_an_unknown_payment_method_is_a_422(api: PaymentsApi, order: OrderData) -> None:
    answer = await api.pay(order, "pm_nobody_knows")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "paymentMethodId"
    assert (await api.pay(order)).status_code == 201


@pytest.mark.parametrize("size", [65 * 1024, 300 * 1024])
async def test_a_body_over_64_kib_is_a_413(api: PaymentsApi, order: OrderData, size: int) -> None:
    answer = await api.call("POST", user_id=order.user_id, json={"orderId": order.id, "note": "x" * size})
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


async def test_without_signing_in_every_call_is_a_401(api: PaymentsApi, order: OrderData) -> None:
    payment_id = (await api.pay(order)).json()["id"]
    forged = f"{api.identity.token(order.user_id)[:-4]}AAAA"
    expired = api.identity.token(order.user_id, exp=1)
    for token in (None, forged, expired, "x.y.z"):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        for method, path in (("POST", ""), ("GET", f"/{payment_id}"), ("POST", f"/{payment_id}/refresh")):
            answer = await api.call(method, path, user_id=None, headers=headers, json={"orderId": order.id})
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_payment_is_shown_to_its_buyer_only(api: PaymentsApi, order: OrderData) -> None:
    payment_id = (await api.pay(order, await card(api))).json()["id"]
    for method, path in (("GET", f"/{payment_id}"), ("POST", f"/{payment_id}/refresh")):
        answer = await api.call(method, path, user_id=new_id())
        assert answer.status_code == 403
        assert "secret" not in answer.text
    for unknown in (new_id(), "abc"):
        assert (await api.call("GET", f"/{unknown}", user_id=order.user_id)).status_code == 404
        assert (await api.call("POST", f"/{unknown}/refresh", user_id=order.user_id)).status_code == 404
