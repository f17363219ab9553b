"""Recording of traces: where they go, and what of the libraries is recorded with them. Imported only when turned on.

How much is sampled is OpenTelemetry's own setting (`OTEL_TRACES_SAMPLER=parentbased_traceidratio`,
`OTEL_TRACES_SAMPLER_ARG=0.05`), and so are the details of the export (`OTEL_EXPORTER_OTLP_…`).
"""

import time
from contextvars import ContextVar
from importlib.metadata import entry_points
from typing import Any, Final, Literal

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.propagate import set_global_textmap
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from .trace_context import parent_of, record_with

__all__ = ["TraceExporter", "is_wanted", "provider_with", "start_tracing", "turn_off", "turn_on"]

TraceExporter = Literal["otlp", "console"]

INSTRUMENTED: Final = frozenset({"pymongo", "redis", "aiohttp-client"})
"""Libraries whose own instrumentation is used where it is installed: with the service that uses the library."""


CLIENT_TRACE_RATE: Final = 50
"""Traces that callers may ask this process to record (`traceparent` with the sampled flag). Any caller can ask, and a
recorded request costs several times as much and is stored elsewhere; W3C Trace Context §4.3 names this attack."""

_AGREED: Final[ContextVar[int]] = ContextVar("agreed_trace_id", default=0)


class _AgreedIds(RandomIdGenerator):
    """Gives a trace the id by which it was chosen."""

    def generate_trace_id(self) -> int:
        agreed = _AGREED.get()
        _AGREED.set(0)
        return agreed or super().generate_trace_id()


class _Allowance:
    """So many a second."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._second = 0
        self._taken = 0

    def take(self) -> bool:
        """One of this second's, if any is left."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._taken = second, 0
        self._taken += 1
        return self._taken <= self._per_second


_CLIENT_TRACES: Final = _Allowance(CLIENT_TRACE_RATE)


def is_wanted(provider: TracerProvider, name: str, traceparent: str) -> bool:
    """Whether the sampler wants a request's trace, asked before its span is prepared: that costs 40 us (measured).

    A caller that asks for it is followed up to `CLIENT_TRACE_RATE`, and is not recorded beyond. The trace then begins
    with the id that was asked for, so the sampler says the same once more.
    """
    parent, sent = parent_of(traceparent)
    if sent.is_valid and sent.trace_flags.sampled and not _CLIENT_TRACES.take():
        return False
    trace_id = sent.trace_id if sent.is_valid else provider.id_generator.generate_trace_id()
    wanted = provider.sampler.should_sample(parent, trace_id, name, SpanKind.SERVER).decision is not Decision.DROP
    if wanted and not sent.is_valid:
        _AGREED.set(trace_id)
    return wanted


def start_tracing(*, service: str, exporter: TraceExporter) -> None:
    """Record this process's spans. `console` prints each as it ends, one JSON object a line, beside the logs."""
    processor: SpanProcessor
    if exporter == "otlp":
        processor = BatchSpanProcessor(OTLPSpanExporter())
    else:
        processor = SimpleSpanProcessor(ConsoleSpanExporter(formatter=lambda span: span.to_json(indent=None) + "\n"))
    turn_on(provider_with(processor, service=service))


def provider_with(processor: SpanProcessor, *, service: str) -> TracerProvider:
    """Names the service on every span and hands them on."""
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service}), id_generator=_AgreedIds())
    provider.add_span_processor(processor)
    return provider


def turn_on(provider: TracerProvider) -> None:
    """Make spans with it, ours and those of the libraries."""
    # Not `baggage`, which the libraries would hand on to Stripe as any caller wrote it.
    set_global_textmap(TraceContextTextMapPropagator())
    record_with(provider, without_libraries=suppress_instrumentation)
    for found in _instrumentors():
        found.instrument(tracer_provider=provider, skip_dep_check=True, failed_hook=_name_only)


def turn_off() -> None:
    """Make none."""
    record_with(None)
    for found in _instrumentors():
        found.uninstrument()


def _instrumentors() -> list[Any]:
    group = entry_points(group="opentelemetry_instrumentor")
    return [found.load()() for found in group if found.name in INSTRUMENTED]


def _name_only(span: Span, event: Any) -> None:
    """The database's message may quote what was stored (a duplicate key is an e-mail address); its code does not."""
    span.set_status(StatusCode.ERROR, str(event.failure.get("codeName", "error")))
