"""Recording of traces: the exporter and the instrumentation of libraries. Imported only if recording is on.

OpenTelemetry's own settings control the sampling (`OTEL_TRACES_SAMPLER=parentbased_traceidratio`,
`OTEL_TRACES_SAMPLER_ARG=0.05`) and the export (`OTEL_EXPORTER_OTLP_…`).
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

TraceExporter = Literal["otlp", "console"]

INSTRUMENTED: Final = frozenset({"pymongo", "redis", "aiohttp-client"})
"""Libraries that are instrumented if their instrumentation package is installed."""


CLIENT_TRACE_RATE: Final = 50
"""Traces a second that callers may make this process record (`traceparent` with the sampled flag). Any caller can set
the flag, and a recorded request costs several times as much, plus storage; W3C Trace Context §4.3 describes this
attack."""

_AGREED: Final[ContextVar[int]] = ContextVar("agreed_trace_id", default=0)


class _AgreedIds(RandomIdGenerator):
    """Gives a trace the id that the sampler decided on."""

    def generate_trace_id(self) -> int:
        agreed = _AGREED.get()
        _AGREED.set(0)
        return agreed or super().generate_trace_id()


class _Allowance:
    """A limit per second."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._second = 0
        self._taken = 0

    def take(self) -> bool:
        """Whether the current second's limit allows one more."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._taken = second, 0
        self._taken += 1
        return self._taken <= self._per_second


_CLIENT_TRACES: Final = _Allowance(CLIENT_TRACE_RATE)


def is_wanted(provider: TracerProvider, name: str, traceparent: str) -> bool:
    """Whether the sampler wants a request's trace. Decided before the span is prepared, which costs 40 us (measured).

    Callers' requests to be recorded are accepted up to `CLIENT_TRACE_RATE`. A new trace starts with the id that the
    sampler saw here, so that its second decision is the same.
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
    """Record this process's spans. `console` prints each finished span as one JSON line, among the logs."""
    processor: SpanProcessor
    if exporter == "otlp":
        processor = BatchSpanProcessor(OTLPSpanExporter())
    else:
        processor = SimpleSpanProcessor(ConsoleSpanExporter(formatter=lambda span: span.to_json(indent=None) + "\n"))
    turn_on(provider_with(processor, service=service))


def provider_with(processor: SpanProcessor, *, service: str) -> TracerProvider:
    """A provider that adds the service's name to every span and passes it to `processor`."""
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service}), id_generator=_AgreedIds())
    provider.add_span_processor(processor)
    return provider


def turn_on(provider: TracerProvider) -> None:
    """Record our own spans and those of the libraries with this provider."""
    # Without `baggage`: the libraries would forward any caller's baggage to Stripe.
    set_global_textmap(TraceContextTextMapPropagator())
    record_with(provider, without_libraries=suppress_instrumentation)
    for found in _instrumentors():
        found.instrument(tracer_provider=provider, skip_dep_check=True, failed_hook=_name_only)


def turn_off() -> None:
    """Stop recording."""
    record_with(None)
    for found in _instrumentors():
        found.uninstrument()


def _instrumentors() -> list[Any]:
    group = entry_points(group="opentelemetry_instrumentor")
    return [found.load()() for found in group if found.name in INSTRUMENTED]


def _name_only(span: Span, event: Any) -> None:
    """The database's message may quote stored data (a duplicate key can be an e-mail address); its code cannot."""
    span.set_status(StatusCode.ERROR, str(event.failure.get("codeName", "error")))
