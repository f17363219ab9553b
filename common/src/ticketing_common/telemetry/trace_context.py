"""W3C Trace Context (https://www.w3.org/TR/trace-context/) from the request to the last consumer.

Built on OpenTelemetry's API, which works without an SDK: then nothing is recorded, yet every log line and every event
of one story bears the same trace id. Recording is turned on in `trace_recording`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from random import getrandbits
from typing import Final

from opentelemetry import context, trace
from opentelemetry.trace import Span, SpanKind, StatusCode, TraceFlags, Tracer, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

__all__ = [
    "ProducerSpan",
    "client_span",
    "consumer_span",
    "current_trace_id",
    "current_traceparent",
    "is_recorded",
    "parent_of",
    "record_with",
    "recording_provider",
    "suppress_unless_sampled",
    "trace_scope",
]

_PROPAGATOR: Final = TraceContextTextMapPropagator()


class _Recording:
    """Who takes the spans of this process; nobody, and then none are made."""

    provider: TracerProvider | None = None
    tracer: Tracer | None = None
    without_libraries: Callable[[], AbstractContextManager[None]] = nullcontext
    quiet: context.Context = context.Context()
    """What `without_libraries` makes of a context with nothing in it."""


def record_with(
    provider: TracerProvider | None, *, without_libraries: Callable[[], AbstractContextManager[None]] = nullcontext
) -> None:
    """From now on spans are made with this provider; None: none. `without_libraries` keeps theirs out of a block."""
    _Recording.provider = provider
    _Recording.without_libraries = without_libraries
    nothing = context.attach(context.Context())
    with without_libraries():
        _Recording.quiet = context.get_current()
    context.detach(nothing)
    _Recording.tracer = provider.get_tracer("ticketing") if provider is not None else None


def recording_provider() -> TracerProvider | None:
    """Whoever takes the spans, for those who make their own."""
    return _Recording.provider


def is_recorded() -> bool:
    """Whether what is going on now is in a span that somebody takes."""
    return trace.get_current_span().is_recording()


def suppress_unless_sampled() -> AbstractContextManager[None]:
    """In a story that is not sampled, libraries make no spans: nobody takes them, and each costs 30 us (measured)."""
    return nullcontext() if is_recorded() else _Recording.without_libraries()


def current_traceparent() -> str | None:
    """The `traceparent` of what is going on now, or None outside of any story."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent")


def current_trace_id() -> str | None:
    """The 32 hex digits that all lines of one story share."""
    span_context = trace.get_current_span().get_span_context()
    return f"{span_context.trace_id:032x}" if span_context.is_valid else None


class trace_scope:  # noqa: N801 (used as a function is)
    """Go on with a caller's trace, or begin a new one when there is none or it is malformed.

    `unrecorded` is for a request that is not recorded: then libraries make no spans either, as with
    `suppress_unless_sampled`, and what it causes elsewhere is not recorded because its caller had asked for it.

    Around every request and event: a class, since a generator that does the same takes three times as long (measured).
    """

    __slots__ = ("_token", "_traceparent", "_unrecorded")

    def __init__(self, traceparent: str | None, *, unrecorded: bool = False) -> None:
        self._traceparent = traceparent
        self._unrecorded = unrecorded

    def __enter__(self) -> Span:
        """From here on; the span that stands for the caller."""
        base = _Recording.quiet if self._unrecorded else context.Context()
        told = _extracted(self._traceparent, base) if self._traceparent else base
        if self._unrecorded and _Recording.provider is not None:
            told = _not_sampled(told)
        if not trace.get_current_span(told).get_span_context().is_valid:
            # Ids need to differ, not to be secret; OpenTelemetry's own generator makes them in this way.
            begun = trace.SpanContext(getrandbits(128) or 1, getrandbits(64) or 1, is_remote=False)
            told = trace.set_span_in_context(trace.NonRecordingSpan(begun), base)
        self._token = context.attach(told)
        return trace.get_current_span(told)

    def __exit__(self, *_error: object) -> None:
        """To here."""
        context.detach(self._token)


def _not_sampled(told: context.Context) -> context.Context:
    sent = trace.get_current_span(told).get_span_context()
    if not sent.trace_flags.sampled:
        return told
    quiet = trace.SpanContext(sent.trace_id, sent.span_id, sent.is_remote, TraceFlags(0), sent.trace_state)
    return trace.set_span_in_context(trace.NonRecordingSpan(quiet), told)


def parent_of(traceparent: str) -> tuple[context.Context, trace.SpanContext]:
    """What a request says of the story it belongs to; not valid where it says nothing."""
    extracted = _extracted(traceparent) if traceparent else context.Context()
    return extracted, trace.get_current_span(extracted).get_span_context()


def _extracted(traceparent: str, base: context.Context | None = None) -> context.Context:
    return _PROPAGATOR.extract({"traceparent": traceparent}, base if base is not None else context.Context())


def consumer_span(name: str, traceparent: str | None, attributes: Mapping[str, str]) -> AbstractContextManager[Span]:
    """Around what is done with a message or a job that came from elsewhere: a span of its sender's trace."""
    scope = trace_scope(traceparent)
    return scope if _Recording.tracer is None else _recorded(_Recording.tracer, scope, name, attributes)


@contextmanager
def _recorded(tracer: Tracer, scope: trace_scope, name: str, attributes: Mapping[str, str]) -> Iterator[Span]:
    with (
        scope,
        tracer.start_as_current_span(
            name,
            kind=SpanKind.CONSUMER,
            attributes=dict(attributes),
            # An error's text may quote what was being handled.
            record_exception=False,
            set_status_on_exception=False,
        ) as span,
        suppress_unless_sampled(),
    ):
        yield span


@contextmanager
def client_span(name: str, attributes: Mapping[str, str]) -> Iterator[None]:
    """Around a call to a server that is made for several stories at once: a span in each that is recorded."""
    if _Recording.tracer is None or not is_recorded():
        yield
        return
    with _Recording.tracer.start_as_current_span(
        name, kind=SpanKind.CLIENT, attributes=dict(attributes), record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield
        except Exception as error:
            span.set_status(StatusCode.ERROR, type(error).__name__)  # its text may quote what was stored
            raise


class ProducerSpan:
    """A message on its way: a span from the moment it is sent until the broker has it.

    `traceparent` is what goes with the message, so that whoever handles it goes on from here.
    """

    __slots__ = ("_span", "traceparent")

    def __init__(self, name: str, message_id: str, traceparent: str | None) -> None:
        self.traceparent = traceparent
        self._span: Span | None = None
        if _Recording.tracer is None or traceparent is None:
            return
        self._span = _Recording.tracer.start_span(
            f"publish {name}",
            context=_extracted(traceparent),
            kind=SpanKind.PRODUCER,
            attributes={"messaging.system": "nats", "messaging.message.id": message_id},
        )
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, trace.set_span_in_context(self._span, context.Context()))
        self.traceparent = carrier.get("traceparent", traceparent)

    def ended(self, error: BaseException | None = None) -> None:
        """The broker has it, or does not (`error`, by its kind)."""
        if self._span is not None:
            if error is not None:
                self._span.set_status(StatusCode.ERROR, type(error).__name__)
            self._span.end()
