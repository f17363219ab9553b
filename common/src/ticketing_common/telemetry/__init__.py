"""Sight: structured logs, trace context and metrics."""

from .logs import configure_logging, get_logger
from .traces import (
    Sending,
    current_trace_id,
    current_traceparent,
    handling,
    quiet_unless_sampled,
    recording_provider,
    story_is_recorded,
    trace_scope,
)

__all__ = [
    "Sending",
    "configure_logging",
    "current_trace_id",
    "current_traceparent",
    "get_logger",
    "handling",
    "quiet_unless_sampled",
    "recording_provider",
    "story_is_recorded",
    "trace_scope",
]
