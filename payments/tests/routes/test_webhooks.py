import pytest

from ticketing_common.events import (
    OrderData,
    PaymentAuthorized,
)

from ..scenario import Sign
from .api import PaymentsApi, card

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_webhook_is_stored_once_and_applied_afterwards(api: PaymentsApi, order: OrderData, sign: Sign) -> None:
    waiting = (await api.pay(order, await card(api))).json()
    stripe_id, _, _ = waiting["clientSecret"].partition("_secret_")
    body = {"client_secret": waiting["clientSecret"]}
    await api.bank.post(f"/v1/payment_intents/{stripe_id}/_authenticate?success=true", json=body)
    content, signature = sign(waiting["id"])
    for _ in range(2):
        answer = await api.call(
            "POST", "/webhook", user_id=None, content=content, headers={"Stripe-Signature": signature}
        )
        assert (answer.status_code, answer.json()) == (200, {"received": True})
    await api.bus.expect(PaymentAuthorized, lambda event: event.data.id == waiting["id"])


async def test_a_webhook_that_stripe_did_not_sign_is_a_400_and_changes_nothing(
    api: PaymentsApi, order: OrderData, sign: Sign
) -> None:
    content, signature = sign("payment", secret="whsec_of_another_account")
    for headers in ({}, {"Stripe-Signature": signature}, {"Stripe-Signature": "t=1"}):
        answer = await api.call("POST", "/webhook", user_id=None, content=content, headers=headers)
        assert answer.status_code == 400
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_large_webhook_is_read_and_a_huge_one_is_not(api: PaymentsApi) -> None:
    for size, status in ((200 * 1024, 400), (300 * 1024, 413)):
        answer = await api.call("POST", "/webhook", user_id=None, content=b"x" * size)
        assert answer.status_code == status
