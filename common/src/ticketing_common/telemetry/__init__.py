"""Sight: structured logs, trace context and metrics."""

from .logs import configure_logging, get_logger
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
    "Sending",
    "asking",
    "configure_logging",
    "current_trace_id",
    "current_traceparent",
    "get_logger",
    "handling",
    "is_recorded",
    "quiet_unless_sampled",
    "recording_provider",
    "trace_scope",
]
