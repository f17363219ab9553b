"""Sight: structured logs, trace context and metrics."""

from .logs import configure_logging, get_logger
from .traces import current_trace_id, current_traceparent, trace_scope

__all__ = ["configure_logging", "current_trace_id", "current_traceparent", "get_logger", "trace_scope"]
