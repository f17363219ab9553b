"""One call to Stripe under protection: time limit, repeats, circuit breaker, and a place among the others.

The one layer that repeats calls; Stripe's own library is told not to. Every write carries a key that is chosen before
the first attempt, so all attempts of one call are one to Stripe (https://docs.stripe.com/api/idempotent_requests).
"""

from collections.abc import Awaitable, Callable
from typing import Final, NoReturn, TypeVar

import stripe

from ticketing_common.resilience import PerWorkload
from ticketing_common.telemetry import get_logger
from ticketing_payments.errors import StripeAwayError, StripeUnknownError
from ticketing_payments.settings import Settings

from .protection import Breaker, Bulkhead, CallRejectedError, Protection, Retries
from .refusals import is_ours, note_refusal

__all__ = ["StripeCalls", "unknown", "was_replayed"]

log = get_logger(__name__)

T = TypeVar("T")

ATTEMPTS: Final = 3
BUDGET_SECONDS: Final = 20.0
"""For one call with its repeats and the waits between them."""
BACKGROUND_MAX_CONCURRENCY: Final = 24
"""Concurrent calls of events, webhooks and the reconciler."""
REQUEST_WAIT_SECONDS: Final = 1.0
"""For a place; a person who waits longer is better told to come again."""
BACKGROUND_WAIT_SECONDS: Final = 15.0


class StripeCalls:
    """Two compartments: calls that a person waits for, and those that nobody does (events, webhooks, the reconciler).

    Each has its own places, so requests that hang at Stripe cannot keep the reconciler from finding out about them. The
    breaker is common: whether Stripe answers is the same for both.
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
        """The answer. Stripe's refusals are raised as they are: what they mean, the caller knows.

        Raises `StripeUnknownError` when no definite answer came, and `StripeAwayError` when nothing was asked.
        """
        try:
            return await self._protections.current.call(call, retry_if=_is_retryable)
        except CallRejectedError as refusal:
            log.warning("stripe not asked", about=about, kind=type(refusal).__name__)
            raise StripeAwayError(refusal.retry_after_seconds) from None
        except TimeoutError:
            log.warning("no answer from stripe in time", about=about)
            raise StripeUnknownError from None
        except stripe.StripeError as error:
            if isinstance(error, stripe.CardError | stripe.InvalidRequestError) or was_replayed(error):
                raise
            unknown(error, about)


def was_replayed(error: stripe.StripeError) -> bool:
    """Whether Stripe repeats a breakdown that it keeps for the key (https://docs.stripe.com/error-low-level)."""
    replayed: bool = (error.headers or {}).get("idempotent-replayed") == "true"
    return replayed and (error.http_status or 0) >= 500


def _is_outage(error: BaseException) -> bool:
    """Whether Stripe as a whole did not answer. A refusal is an answer, and so is what it repeats from its memory."""
    if isinstance(error, stripe.StripeError):
        broken = isinstance(error, stripe.APIConnectionError) or (error.http_status or 0) >= 500
        return broken and not was_replayed(error)
    return isinstance(error, TimeoutError)


def _is_retryable(error: BaseException) -> bool:
    """As Stripe asks for: its header decides where there is one."""
    if not isinstance(error, stripe.StripeError) or was_replayed(error):
        return False
    advice = (error.headers or {}).get("stripe-should-retry")
    if advice is not None:
        return bool(advice == "true")
    return isinstance(error, stripe.APIConnectionError) or error.http_status in (409, 429) or _is_outage(error)


def unknown(error: stripe.StripeError, about: str) -> NoReturn:
    """Say what came, in names only (the error's text may quote what was sent), and raise `StripeUnknownError`."""
    if is_ours(error):
        note_refusal(error, about)
        raise StripeUnknownError from None
    log.warning(
        "no definite answer from stripe",
        about=about,
        kind=type(error).__name__,
        status=error.http_status,
        code=error.code,
        request_id=error.request_id,
    )
    raise StripeUnknownError from None
