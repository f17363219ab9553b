"""Collects in memory the spans of all services that run in one test process."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ticketing_common.telemetry.trace_recording import provider_with, turn_off, turn_on


class RecordedSpans:
    """All ended spans."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def all(self) -> Sequence[ReadableSpan]:
        """Every span, in the order of their ends."""
        return self._exporter.get_finished_spans()

    def of(self, trace_id: str) -> list[ReadableSpan]:
        """The spans of one trace (32 hex digits)."""
        return [span for span in self.all() if f"{span.context.trace_id:032x}" == trace_id]

    def forget(self) -> None:
        """Begin anew."""
        self._exporter.clear()


@cache
def _provider() -> tuple[TracerProvider, InMemorySpanExporter]:
    """One provider for the process, because pymongo's listeners cannot be removed."""
    exporter = InMemorySpanExporter()
    return provider_with(SimpleSpanProcessor(exporter), service="test"), exporter


@contextmanager
def recorded_spans() -> Iterator[RecordedSpans]:
    """Record inside this block; services must be created inside it too."""
    provider, exporter = _provider()
    exporter.clear()
    turn_on(provider)
    try:
        yield RecordedSpans(exporter)
    finally:
        turn_off()
