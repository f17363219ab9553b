"""Tells the Stripe double where to send its webhooks."""

import httpx

from .keys import Keys

__all__ = ["register_webhook"]


def register_webhook(stripe_url: str, target: str, keys: Keys) -> None:
    """Register (again: the double forgets it when it ends) the payments service's webhook address."""
    httpx.post(
        f"{stripe_url}/_config/webhooks/payments",
        json={"url": target, "secret": keys.stripe_webhook_secret},
        timeout=10,
    ).raise_for_status()
