"""The running service, and calls to it."""

from typing import Any, Final

import httpx
from fastapi import FastAPI

from ticketing_common.events import OrderData
from ticketing_testkit.apps import Bus, Identity

PAYMENTS: Final = "/api/payments"
GOOD, BAD, THREE_D_SECURE = "pm_card_visa", "pm_card_chargeCustomerFail", "4000002500003155"


class PaymentsApi:
    """The running service and its test client."""

    def __init__(
        self, app: FastAPI, client: httpx.AsyncClient, identity: Identity, bus: Bus, bank: httpx.AsyncClient
    ) -> None:
        self.service = app.state.service
        self.collection = app.state.runtime.collection("payments")
        self.client, self.identity, self.bus, self.bank = client, identity, bus, bank

    async def call(self, method: str, path: str = "", *, user_id: str | None, **request: Any) -> httpx.Response:
        """Call as this user, or without a token if `user_id` is None."""
        headers = self.identity.headers(user_id=user_id) if user_id else {}
        headers |= request.pop("headers", {})
        return await self.client.request(method, PAYMENTS + path, headers=headers, **request)

    async def pay(
        self, order: OrderData, method: str | None = GOOD, *, user_id: str | None = None, **request: Any
    ) -> httpx.Response:
        body = {"orderId": order.id} | ({"paymentMethodId": method} if method else {})
        return await self.call("POST", user_id=user_id or order.user_id, json=body, **request)

    async def count(self) -> int:
        total: int = await self.collection.count_documents({})
        return total


async def card(api: PaymentsApi, number: str = THREE_D_SECURE) -> str:
    body = {"type": "card", "card": {"number": number, "exp_month": 12, "exp_year": 2040, "cvc": "123"}}
    return str((await api.bank.post("/v1/payment_methods", json=body)).json()["id"])
