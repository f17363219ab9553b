"""Calls to Stripe, in domain types, and the protection of every call."""

from .gateway import API_VERSION, StripeGateway

__all__ = ["API_VERSION", "StripeGateway"]
