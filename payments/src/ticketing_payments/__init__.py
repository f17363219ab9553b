"""Stripe: authorise, capture when orders say so, otherwise void."""
