"""Registers the webhook address with the Stripe double, once it answers."""

import os
import time

import httpx

DOUBLE = "http://127.0.0.1:8420"
PAYMENTS = "http://payments:8000/api/payments/webhook"
PATIENCE_SECONDS = 60.0


def register() -> None:
    """Register the address; raises `httpx.HTTPError` on a timeout, and the kubelet then restarts the container."""
    body = {"url": PAYMENTS, "secret": os.environ["STRIPE_WEBHOOK_SECRET"]}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            httpx.post(f"{DOUBLE}/_config/webhooks/payments", json=body, timeout=5).raise_for_status()
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


if __name__ == "__main__":
    register()
