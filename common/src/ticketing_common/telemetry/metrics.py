"""The metrics, in Prometheus' conventions: base units, bounded labels.

A counter with labels has no series until one is asked for, and a first 1 out of nothing is no increase to Prometheus:
the first dead letter would not be seen. Whoever counts asks for his series with `begin` when he is made.
"""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

__all__ = [
    "CALLS_IN_PROGRESS",
    "CALLS_REFUSED",
    "CALLS_REPEATED",
    "CALL_SECONDS",
    "CAPTURED_CENTS",
    "CIRCUIT_STATE",
    "CONSUMED",
    "CONSUMER_LAG",
    "DEAD_LETTERS",
    "DOCUMENTS_UNREADABLE",
    "EVENT_LOOP_LAG",
    "EVENT_SECONDS",
    "HOLDS_LOST",
    "HOLDS_PLACED",
    "HTTP_SECONDS",
    "LIVE_STREAMS",
    "LIVE_STREAMS_ENDED",
    "ORDERS_CANCELLED",
    "ORDERS_COMPLETED",
    "OUTBOX_FULL",
    "OUTBOX_OLDEST",
    "OUTBOX_PARKED",
    "OUTBOX_PENDING",
    "REFUNDED_CENTS",
    "RELAY_PUBLISHED",
    "REQUESTS_IN_FLIGHT",
    "REQUESTS_SHED",
    "SECURITY_EVENTS",
    "STALE_ANSWERS",
    "STRIPE_EVENTS_FAILED",
    "STRIPE_REQUESTS_REFUSED",
    "TIMERS_AVAILABLE",
    "init_series",
]


def init_series(counter: Counter, *labels: tuple[str, ...]) -> None:
    """Show each of these series at 0."""
    for values in labels:
        counter.labels(*values)


HTTP_SECONDS: Final = Histogram(
    "http_request_duration_seconds",
    "Time to answer, by route template",
    ["service", "method", "route", "status"],
    # To the end of a request's time (30 s): what hangs in a payment is told from what hangs for good.
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
OUTBOX_PENDING: Final = Gauge("outbox_pending", "Events stored but not yet published", ["service", "collection"])
OUTBOX_OLDEST: Final = Gauge("outbox_oldest_seconds", "Age of the oldest unpublished event", ["service", "collection"])
OUTBOX_PARKED: Final = Gauge("outbox_parked", "Events set aside since the bus refuses them", ["service", "collection"])
OUTBOX_FULL: Final = Counter("outbox_full", "Changes refused, as too many events of the document wait", ["collection"])
RELAY_PUBLISHED: Final = Counter("relay_published", "Events acknowledged by the broker", ["service", "path"])
CONSUMED: Final = Counter("events_consumed", "Events by what became of them", ["service", "consumer", "outcome"])
EVENT_SECONDS: Final = Histogram(
    "event_handling_duration_seconds",
    "Time to handle an event, whatever became of it",
    ["service", "consumer"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
CONSUMER_LAG: Final = Gauge("consumer_lag", "Events in the stream that this consumer has not had", ["consumer"])
DEAD_LETTERS: Final = Counter("dead_letters", "Events given up and set aside", ["consumer"])

CIRCUIT_STATE: Final = Gauge("circuit_state", "0 closed, 0.5 half open, 1 open: calls are not made", ["circuit"])
CALLS_REFUSED: Final = Counter("calls_refused", "Calls not made, to spare the other side or us", ["call", "reason"])
CALLS_REPEATED: Final = Counter("calls_repeated", "Attempts after the first", ["call"])
CALL_SECONDS: Final = Histogram(
    "call_duration_seconds",
    "Time of one attempt of a call, by its end: answered (a refusal is an answer), failed, cancelled",
    ["call", "outcome"],
    buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)
CALLS_IN_PROGRESS: Final = Gauge("calls_in_progress", "Places taken in a bulkhead", ["call"])

REQUESTS_IN_FLIGHT: Final = Gauge("requests_in_flight", "Requests begun and not answered, without streams", ["service"])
REQUESTS_SHED: Final = Counter("requests_shed", "Requests refused at the door, for we are busy", ["service", "reason"])
EVENT_LOOP_LAG: Final = Gauge("event_loop_lag_seconds", "How late the event loop comes to what is due", ["service"])
STALE_ANSWERS: Final = Counter("stale_answers", "Answers from memory, as the database was away", ["service"])
LIVE_STREAMS: Final = Gauge("live_streams", "Event streams open to browsers", ["service"])
LIVE_STREAMS_ENDED: Final = Counter("live_streams_ended", "Event streams that ended, by why", ["service", "reason"])

TIMERS_AVAILABLE: Final = Gauge("timers_available", "1 while the worker polls Redis for timers, 0 while it only sweeps")
SECURITY_EVENTS: Final = Counter("security_events", "Sign-ins, refusals and reached limits, by event", ["event"])

HOLDS_PLACED: Final = Counter("holds_placed", "Tickets held by a new order")
HOLDS_LOST: Final = Counter("holds_lost", "Holds refused, since somebody else was faster")
ORDERS_COMPLETED: Final = Counter("orders_completed", "Orders paid in time")
ORDERS_CANCELLED: Final = Counter("orders_cancelled", "Orders that ended without a ticket, by reason", ["reason"])
CAPTURED_CENTS: Final = Counter("captured_cents", "Money taken", ["currency"])
REFUNDED_CENTS: Final = Counter("refunded_cents", "Money given back after it was taken", ["currency"])
STRIPE_REQUESTS_REFUSED: Final = Counter(
    "stripe_requests_refused", "Requests that Stripe refused for a fault of ours, by kind of error", ["kind"]
)
STRIPE_EVENTS_FAILED: Final = Counter("stripe_events_failed", "Stripe events that raised an unexpected error")
DOCUMENTS_UNREADABLE: Final = Counter(
    "documents_unreadable", "Stored documents that could not be read and were left out", ["collection"]
)
