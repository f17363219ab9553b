"""Sight: structured logs, trace context and metrics."""

from .logs import configure_logging, get_logger
from .security_events import SecurityEvent, init_security_series, record_security_event
from .trace_context import (
    ProducerSpan,
    client_span,
    consumer_span,
    current_trace_id,
    current_traceparent,
    is_recorded,
    is_sampled,
    recording_provider,
    suppress_unless_sampled,
    trace_scope,
)

__all__ = [
    "ProducerSpan",
    "SecurityEvent",
    "client_span",
    "configure_logging",
    "consumer_span",
    "current_trace_id",
    "current_traceparent",
    "get_logger",
    "init_security_series",
    "is_recorded",
    "is_sampled",
    "record_security_event",
    "recording_provider",
    "suppress_unless_sampled",
    "trace_scope",
]
