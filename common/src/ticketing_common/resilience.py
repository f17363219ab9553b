"""Retry, circuit breaker, bulkhead and fallback for calls that leave the process.

Empty until there is a second such call: Stripe's, the only one today, has its time limit, its idempotent retries and
its reconciler in payments' gateway, and deliveries over the bus have their own delays in `delivery`.
"""
