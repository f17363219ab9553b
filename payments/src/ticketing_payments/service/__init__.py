"""The use cases of payments."""

from .payments import PaymentService

__all__ = ["PaymentService"]
