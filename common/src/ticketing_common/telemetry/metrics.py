"""The metrics, in Prometheus' conventions: base units, bounded labels.

A counter with labels has no series until it is first used, and Prometheus does not count a series that starts at 1 as
an increase: an alert would miss the first dead letter. Components therefore initialise their labelled series to 0 at
construction, with `init_series`.
"""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram


def init_series(counter: Counter, *labels: tuple[str, ...]) -> None:
    """Initialise each of these series to 0."""
    for values in labels:
        counter.labels(*values)


HTTP_SECONDS: Final = Histogram(
    "http_request_duration_seconds",
    "Time to answer, by route template",
    ["service", "method", "route", "status"],
    # Up to a request's deadline (30 s), so that a slow payment differs from a call that never ends.
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
OUTBOX_PENDING: Final = Gauge("outbox_pending", "Events stored but not yet published", ["service", "collection"])
OUTBOX_OLDEST: Final = Gauge("outbox_oldest_seconds", "Age of the oldest unpublished event", ["service", "collection"])
OUTBOX_PARKED: Final = Gauge(
    "outbox_parked", "Events parked because the broker refuses them", ["service", "collection"]
)
OUTBOX_FULL: Final = Counter("outbox_full", "Changes refused, because the document's outbox is full", ["collection"])
RELAY_PUBLISHED: Final = Counter("relay_published", "Events acknowledged by the broker", ["service", "path"])
CONSUMED: Final = Counter("events_consumed", "Events by outcome", ["service", "consumer", "outcome"])
EVENT_SECONDS: Final = Histogram(
    "event_handling_duration_seconds",
    "Time to handle an event, with any outcome",
    ["service", "consumer"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
CONSUMER_LAG: Final = Gauge("consumer_lag", "Events of the stream not yet delivered to this consumer", ["consumer"])
DEAD_LETTERS: Final = Counter("dead_letters", "Events dead-lettered", ["consumer"])

CIRCUIT_STATE: Final = Gauge("circuit_state", "0 closed, 0.5 half open, 1 open: calls are not made", ["circuit"])
CALLS_REFUSED: Final = Counter("calls_refused", "Calls rejected before they were sent", ["call", "reason"])
CALLS_REPEATED: Final = Counter("calls_repeated", "Attempts after the first", ["call"])
CALL_SECONDS: Final = Histogram(
    "call_duration_seconds",
    "Time of one attempt of a call, by its end: answered (a refusal is an answer), failed, cancelled",
    ["call", "outcome"],
    buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)
CALLS_IN_PROGRESS: Final = Gauge("calls_in_progress", "Calls in progress in a bulkhead", ["call"])

REQUESTS_IN_FLIGHT: Final = Gauge("requests_in_flight", "Requests in progress, without event streams", ["service"])
REQUESTS_SHED: Final = Counter(
    "requests_shed", "Requests shed because the service is overloaded", ["service", "reason"]
)
EVENT_LOOP_LAG: Final = Gauge("event_loop_lag_seconds", "Delay of the event loop", ["service"])
STALE_ANSWERS: Final = Counter(
    "stale_answers", "Stale responses served from the cache during a database outage", ["service"]
)
LIVE_STREAMS: Final = Gauge("live_streams", "Event streams open to browsers", ["service"])
LIVE_STREAMS_ENDED: Final = Counter("live_streams_ended", "Event streams that ended, by reason", ["service", "reason"])

TIMERS_AVAILABLE: Final = Gauge(
    "timers_available", "1 while a worker polls Redis for timers, 0 while it only sweeps", ["queue"]
)
MAILS: Final = Counter("mails", "Mails by kind and outcome", ["kind", "outcome"])
MAILS_QUEUED: Final = Gauge("mails_queued", "Mails that are not delivered yet")
MAILS_OLDEST: Final = Gauge("mails_oldest_seconds", "Time for which the longest overdue mail has been due")
MAIL_SERVER_AVAILABLE: Final = Gauge("mail_server_available", "0 after a failed connection to the mail server, else 1")
BREACHED_PASSWORD_CHECKS: Final = Counter(
    "breached_password_checks", "New passwords that a range API was asked about, by outcome", ["outcome"]
)
SECURITY_EVENTS: Final = Counter("security_events", "Sign-ins, refusals and reached limits, by event", ["event"])

REVOCATIONS_CURRENT: Final = Gauge(
    "session_revocations_current", "1 while ended sessions are learned from the bus, 0 while not", ["service"]
)

HOLDS_PLACED: Final = Counter("holds_placed", "Tickets held by a new order")
HOLDS_LOST: Final = Counter("holds_lost", "Holds refused because the ticket was held already")
ORDERS_COMPLETED: Final = Counter("orders_completed", "Orders paid in time")
CHECKINS: Final = Counter("checkins", "Scans of passes by the seller, by outcome: admitted, used, void", ["outcome"])
ORDERS_CANCELLED: Final = Counter("orders_cancelled", "Orders that ended without a ticket, by reason", ["reason"])
CAPTURED_CENTS: Final = Counter("captured_cents", "Money captured", ["currency"])
REFUNDED_CENTS: Final = Counter("refunded_cents", "Money refunded after the capture", ["currency"])
STRIPE_REQUESTS_REFUSED: Final = Counter(
    "stripe_requests_refused", "Requests that Stripe refused because of our error, by kind", ["kind"]
)
STRIPE_EVENTS_FAILED: Final = Counter("stripe_events_failed", "Stripe events that raised an unexpected error")
DOCUMENTS_UNREADABLE: Final = Counter(
    "documents_unreadable", "Stored documents that could not be read and were skipped", ["collection"]
)
