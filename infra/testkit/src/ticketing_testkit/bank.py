"""Actions of the buyer, the banks and the merchant at the Stripe double: cards, 3-D Secure, refunds, disputes."""

from typing import Any, Final, TypeAlias

import httpx

THREE_D_SECURE: Final = "4000002500003155"
EVERYTHING: Final = 1_000_000

StripeId: TypeAlias = str | None
"""Of a PaymentIntent. A payment has none before its first call to Stripe; Stripe answers 404 to it."""


class Bank:
    """A client of the double for one secret key (`sk_…`)."""

    def __init__(self, url: str, key: str) -> None:
        self._http = httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30)

    async def close(self) -> None:
        """Close the connection."""
        await self._http.aclose()

    async def call(self, method: str, path: str, **body: Any) -> Any:
        """Call Stripe's API once; None for an empty response. Raises `httpx.HTTPStatusError`."""
        answer = await self._http.request(method, path, json=body or None)
        answer.raise_for_status()
        return answer.json() if answer.content else None  # the double's own settings answer with nothing

    async def send_webhooks(self, url: str, secret: str) -> None:
        """Let the double send its own webhooks, those of refunds and disputes among them, to this address."""
        receiver = {"url": url, "secret": secret}
        (await self._http.post("/_config/webhooks/bank", json=receiver)).raise_for_status()

    async def card(self, number: str = THREE_D_SECURE) -> str:
        """Create a payment method with that card; the default card requires 3-D Secure."""
        card = {"number": number, "exp_month": 12, "exp_year": 2040, "cvc": "123"}
        return str((await self.call("POST", "/v1/payment_methods", type="card", card=card))["id"])

    async def authenticate(self, stripe_id: StripeId, *, success: bool) -> None:
        """The buyer completes or fails 3-D Secure."""
        found = await self.intent(stripe_id)
        path = f"/v1/payment_intents/{stripe_id}/_authenticate?success={success}"
        await self._http.post(path, json={"client_secret": found["client_secret"]})

    async def refund(self, stripe_id: StripeId, amount: int | None = None) -> Any:
        """The merchant refunds `amount` cents in the dashboard, or the remaining amount."""
        asked = {"payment_intent": stripe_id} | ({} if amount is None else {"amount": amount})
        return await self.call("POST", "/v1/refunds", **asked)

    async def fail_refund(self, refund_id: str) -> Any:
        """The buyer's bank rejects a refund: the money returns to the merchant."""
        return await self.call("POST", f"/_config/refunds/{refund_id}/fail")

    async def dispute(self, stripe_id: StripeId, **fields: Any) -> Any:
        """The buyer opens a dispute; optional fields are `status` and `amount` (cents)."""
        return await self.call("POST", "/_config/disputes", payment_intent=stripe_id, **fields)

    async def decide(self, dispute_id: str, status: str) -> Any:
        """The bank moves a dispute to `under_review`, `won`, `lost` or `warning_closed`."""
        return await self.call("POST", f"/_config/disputes/{dispute_id}", status=status)

    async def events(self, stripe_id: StripeId) -> list[Any]:
        """Stripe's events about refunds and disputes of a PaymentIntent, oldest first."""
        subjects = (await self.call("GET", "/v1/events?limit=100"))["data"]
        return [
            event
            for event in reversed(subjects)
            if not event["type"].startswith("payment_intent.")
            and event["data"]["object"].get("payment_intent") == stripe_id
        ]

    async def intent(self, stripe_id: StripeId) -> Any:
        """The present state of one PaymentIntent."""
        return await self.call("GET", f"/v1/payment_intents/{stripe_id}")

    async def intents(self) -> list[Any]:
        """All PaymentIntents."""
        listed = await self.call("GET", f"/v1/payment_intents?limit={EVERYTHING}")
        return list(listed["data"])

    async def intents_of(self, order_id: str) -> list[Any]:
        """All PaymentIntents of this order."""
        return [intent for intent in await self.intents() if intent["metadata"].get("order_id") == order_id]
