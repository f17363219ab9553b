"""Sight: structured logs, trace context and metrics."""

from .logs import configure_logging, get_logger
from .security_events import SecurityEvent, begin_security_events, record_security_event
from .traces import (
    Sending,
    asking,
    current_trace_id,
    current_traceparent,
    handling,
    is_recorded,
    quiet_unless_sampled,
    recording_provider,
    trace_scope,
)

__all__ = [
    "SecurityEvent",
    "Sending",
    "asking",
    "begin_security_events",
    "configure_logging",
    "current_trace_id",
    "current_traceparent",
    "get_logger",
    "handling",
    "is_recorded",
    "quiet_unless_sampled",
    "record_security_event",
    "recording_provider",
    "trace_scope",
]
