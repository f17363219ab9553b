"""Protects calls to Stripe: time limit, retries, circuit breaker and bulkhead.

Only this layer retries calls; retries are disabled in Stripe's library. Every write has an idempotency key that is
chosen before the first attempt, so Stripe executes a retried call once
(https://docs.stripe.com/api/idempotent_requests).
"""

from collections.abc import Awaitable, Callable
from typing import Final, NoReturn, TypeVar

import stripe

from ticketing_common.resilience import PerWorkload
from ticketing_common.telemetry import get_logger
from ticketing_payments.errors import StripeAwayError, StripeUnknownError
from ticketing_payments.settings import Settings

from .breaker import Breaker, CallRejectedError
from .protection import Bulkhead, Protection, Retries
from .refusals import is_ours, note_refusal

log = get_logger(__name__)

T = TypeVar("T")

ATTEMPTS: Final = 3
BUDGET_SECONDS: Final = 20.0
"""Limit of one call, including its retries and the waits between them."""
BACKGROUND_MAX_CONCURRENCY: Final = 24
"""Concurrent calls of events, webhooks and the reconciler."""
REQUEST_WAIT_SECONDS: Final = 1.0
"""Limit of the wait for a free slot. After it the request is refused with `Retry-After`."""
BACKGROUND_WAIT_SECONDS: Final = 15.0


class StripeCalls:
    """Separates two workloads: calls for requests, and background calls (events, webhooks, the reconciler).

    Each has its own bulkhead, so requests that hang at Stripe do not stop the reconciler from checking them. The
    circuit breaker is shared, because Stripe's availability is the same for both.
    """

    def __init__(self, settings: Settings, *, may_repeat: bool) -> None:
        breaker = Breaker(
            "stripe",
            failures=settings.stripe_circuit_failures,
            open_seconds=settings.stripe_circuit_seconds,
            is_failure=_is_outage,
        )
        budget = max(BUDGET_SECONDS, settings.stripe_timeout_seconds)

        def protection(name: str, max_concurrency: int, wait_seconds: float) -> Protection:
            return Protection(
                breaker,
                Bulkhead(name, max_concurrency=max_concurrency, wait_seconds=wait_seconds),
                Retries(ATTEMPTS if may_repeat else 1, first_wait_seconds=settings.stripe_repeat_seconds),
                attempt_seconds=settings.stripe_timeout_seconds,
                budget_seconds=budget + wait_seconds,
            )

        self._protections = PerWorkload(
            requests=protection("stripe-requests", settings.stripe_places, REQUEST_WAIT_SECONDS),
            background=protection("stripe-background", BACKGROUND_MAX_CONCURRENCY, BACKGROUND_WAIT_SECONDS),
        )

    async def make(self, call: Callable[[], Awaitable[T]], *, about: str) -> T:
        """Make the call and return its result. `about` names the subject in logs.

        Raises Stripe's refusals unchanged, because the caller knows their meaning. Raises `StripeUnknownError` without
        a definite response, and `StripeAwayError` if no call was made.
        """
        try:
            return await self._protections.current.call(call, retry_if=_is_retryable)
        except CallRejectedError as refusal:
            log.warning("stripe not called", about=about, kind=type(refusal).__name__)
            raise StripeAwayError(refusal.retry_after_seconds) from None
        except TimeoutError:
            log.warning("no response from stripe in time", about=about)
            raise StripeUnknownError from None
        except stripe.StripeError as error:
            if isinstance(error, stripe.CardError | stripe.InvalidRequestError) or was_replayed(error):
                raise
            unknown(error, about)


def was_replayed(error: stripe.StripeError) -> bool:
    """Whether Stripe repeats a stored 5xx response of this key (https://docs.stripe.com/error-low-level)."""
    replayed: bool = (error.headers or {}).get("idempotent-replayed") == "true"
    return replayed and (error.http_status or 0) >= 500


def _is_outage(error: BaseException) -> bool:
    """Whether Stripe itself is unavailable. A refusal is a response, and so is a replayed 5xx."""
    if isinstance(error, stripe.StripeError):
        broken = isinstance(error, stripe.APIConnectionError) or (error.http_status or 0) >= 500
        return broken and not was_replayed(error)
    return isinstance(error, TimeoutError)


def _is_retryable(error: BaseException) -> bool:
    """Whether to retry: the `Stripe-Should-Retry` header decides if it is present."""
    if not isinstance(error, stripe.StripeError) or was_replayed(error):
        return False
    advice = (error.headers or {}).get("stripe-should-retry")
    if advice is not None:
        return bool(advice == "true")
    return isinstance(error, stripe.APIConnectionError) or error.http_status in (409, 429) or _is_outage(error)


def unknown(error: stripe.StripeError, about: str) -> NoReturn:
    """Log the error's names only, since its text may quote the request, and raise `StripeUnknownError`."""
    if is_ours(error):
        note_refusal(error, about)
        raise StripeUnknownError from None
    log.warning(
        "no definite response from stripe",
        about=about,
        kind=type(error).__name__,
        status=error.http_status,
        code=error.code,
        request_id=error.request_id,
    )
    raise StripeUnknownError from None
