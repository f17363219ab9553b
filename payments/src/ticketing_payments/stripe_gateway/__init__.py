"""Stripe, asked in our words, and the protection round every call to it."""

from .gateway import API_VERSION, StripeGateway

__all__ = ["API_VERSION", "StripeGateway"]
