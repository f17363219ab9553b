"""Registers the webhook address with the Stripe double."""

import httpx

from .keys import Keys


def register_webhook(stripe_url: str, target: str, keys: Keys) -> None:
    """Register the webhook address of payments; needed at each start, because the double does not store it."""
    httpx.post(
        f"{stripe_url}/_config/webhooks/payments",
        json={"url": target, "secret": keys.stripe_webhook_secret},
        timeout=10,
    ).raise_for_status()
