"""W3C Trace Context (https://www.w3.org/TR/trace-context/) from the request to the last consumer.

Built on OpenTelemetry's API, which works without an SDK: then nothing is recorded, yet every log line and every event
of one story bears the same trace id.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from opentelemetry import context, trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

__all__ = ["current_trace_id", "current_traceparent", "trace_scope"]

_PROPAGATOR: Final = TraceContextTextMapPropagator()


def current_traceparent() -> str | None:
    """The `traceparent` of what is going on now, or None outside of any story."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent")


def current_trace_id() -> str | None:
    """The 32 hex digits that all lines of one story share."""
    span_context = trace.get_current_span().get_span_context()
    return f"{span_context.trace_id:032x}" if span_context.is_valid else None


@contextmanager
def trace_scope(traceparent: str | None) -> Iterator[None]:
    """Go on with a caller's trace, or begin a new one when there is none or it is malformed."""
    extracted = _PROPAGATOR.extract({"traceparent": traceparent}) if traceparent else context.Context()
    if not trace.get_current_span(extracted).get_span_context().is_valid:
        begun = trace.SpanContext(secrets.randbits(128) or 1, secrets.randbits(64) or 1, is_remote=False)
        extracted = trace.set_span_in_context(trace.NonRecordingSpan(begun), context.get_current())
    token = context.attach(extracted)
    try:
        yield
    finally:
        context.detach(token)
