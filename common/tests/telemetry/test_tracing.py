"""Recording is off by default; its modules are then not even imported."""

import json
import subprocess
import sys
from secrets import token_hex
from types import SimpleNamespace

import pytest
from opentelemetry import propagate
from opentelemetry.context import Context
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace import StatusCode

from ticketing_common.telemetry import ProducerSpan, consumer_span, current_trace_id, trace_recording, trace_scope
from ticketing_common.telemetry.trace_context import current_traceparent
from ticketing_common.telemetry.trace_recording import is_wanted, provider_with
from ticketing_testkit.spans import recorded_spans

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE_ID = PARENT.split("-")[1]

MAKE_AN_APP = """
import sys
from ticketing_common.settings import ServiceSettings
from ticketing_testkit.apps import Identity
from ticketing_common.web import create_service_app

settings = ServiceSettings(
    service_name="things",
    mongo_url="mongodb://nowhere",
    jwt_public_keys=[Identity().public_key_pem],
    otel_traces_exporter=sys.argv[1],
)
create_service_app(settings, title="Things", assemble=lambda app, runtime: None)
print([name for name in sys.modules if name.startswith("opentelemetry.sdk.trace")] != [])
"""


@pytest.mark.parametrize(("exporter", "imported"), [("none", "False"), ("console", "True"), ("otlp", "True")])
def test_disabled_recording_imports_nothing(exporter: str, imported: str) -> None:
    made = subprocess.run([sys.executable, "-c", MAKE_AN_APP, exporter], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    assert made.stdout.strip() == imported


@pytest.mark.unit
def test_without_recording_a_message_continues_the_trace_of_its_request() -> None:
    span = ProducerSpan("order.created", "1", PARENT)
    span.ended()
    assert span.traceparent == PARENT
    with consumer_span("handle order.created", PARENT, {}):
        assert current_trace_id() == TRACE_ID


@pytest.mark.unit
def test_with_recording_the_consumer_span_follows_the_producer_span() -> None:
    with recorded_spans() as spans:
        span = ProducerSpan("order.created", "1", PARENT)
        assert span.traceparent is not None
        with consumer_span("handle order.created", span.traceparent, {}):
            assert current_trace_id() == TRACE_ID
        span.ended(TimeoutError("something that was sent"))
        handled, sent = spans.of(TRACE_ID)
    assert handled.parent is not None
    assert handled.parent.span_id == sent.context.span_id
    assert (sent.status.status_code, sent.status.description) == (StatusCode.ERROR, "TimeoutError")


@pytest.mark.unit
def test_a_message_without_a_trace_starts_no_trace_in_the_relay() -> None:
    with recorded_spans() as spans:
        ProducerSpan("order.created", "1", None).ended()
        assert list(spans.all()) == []


@pytest.mark.unit
def test_an_error_text_that_quotes_the_message_is_not_in_the_span() -> None:
    with recorded_spans() as spans:
        with pytest.raises(ValueError), consumer_span("handle order.created", PARENT, {}):
            raise ValueError("ann@example.com")
        (span,) = spans.of(TRACE_ID)
    assert "ann@example.com" not in json.dumps(json.loads(span.to_json()))


@pytest.mark.unit
@pytest.mark.parametrize(("flags", "enabled"), [("01", True), ("00", False)])
def test_libraries_make_spans_only_in_a_sampled_trace(flags: str, enabled: bool) -> None:
    with recorded_spans(), consumer_span("handle order.created", f"{PARENT[:-2]}{flags}", {}):
        assert is_instrumentation_enabled() is enabled
    assert is_instrumentation_enabled()


@pytest.mark.unit
@pytest.mark.parametrize("traceparent", [None, PARENT, "not one"])
def test_libraries_make_no_spans_in_an_unrecorded_request(traceparent: str | None) -> None:
    with trace_scope(traceparent, unrecorded=True):
        assert is_instrumentation_enabled(), "without recording, libraries are not suppressed"
    with recorded_spans():
        with trace_scope(traceparent, unrecorded=True):
            assert not is_instrumentation_enabled()
            assert (current_trace_id() == TRACE_ID) is (traceparent == PARENT)
        assert is_instrumentation_enabled()
        assert current_trace_id() is None


@pytest.mark.parametrize("ratio", [0.0, 0.05, 0.5, 1.0])
def test_the_samplers_decision_is_known_before_the_span_and_does_not_change(ratio: float) -> None:
    provider = provider_with(SimpleSpanProcessor(InMemorySpanExporter()), service="test")
    provider.sampler = ParentBasedTraceIdRatio(ratio)
    wanted, requests = 0, 2_000
    for _ in range(requests):
        if is_wanted(provider, "GET", ""):
            wanted += 1
            assert provider.get_tracer("test").start_span("GET", context=Context()).is_recording()
    assert abs(wanted / requests - ratio) <= 0.05
    assert len({provider.id_generator.generate_trace_id() for _ in range(100)}) == 100, "an id is given once"


@pytest.mark.parametrize(("flags", "wanted"), [("01", True), ("00", False)])
def test_the_callers_sampling_decision_is_followed(flags: str, wanted: bool) -> None:
    provider = provider_with(SimpleSpanProcessor(InMemorySpanExporter()), service="test")
    provider.sampler = ParentBasedTraceIdRatio(0.5)
    traceparent = f"00-{token_hex(16)}-{token_hex(8)}-{flags}"
    assert all(is_wanted(provider, "GET", traceparent) is wanted for _ in range(20))


def test_callers_can_request_a_limited_number_of_traces_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr(trace_recording, "time", SimpleNamespace(monotonic=lambda: now))
    provider = provider_with(SimpleSpanProcessor(InMemorySpanExporter()), service="test")
    provider.sampler = ParentBasedTraceIdRatio(0.0)

    def asked() -> int:
        return sum(is_wanted(provider, "GET", f"00-{token_hex(16)}-{token_hex(8)}-01") for _ in range(500))

    assert asked() == trace_recording.CLIENT_TRACE_RATE
    assert asked() == 0
    now += 1
    assert asked() == trace_recording.CLIENT_TRACE_RATE


@pytest.mark.unit
def test_an_unrecorded_request_is_not_recorded_downstream() -> None:
    """The trace continues with its id, but a consumer in another service does not record it."""
    with recorded_spans() as spans:
        with trace_scope(PARENT, unrecorded=True):
            assert current_trace_id() == TRACE_ID
            traceparent = current_traceparent()
        assert traceparent is not None
        assert traceparent.endswith("-00")
        with consumer_span("handle order.created", traceparent, {}):
            ProducerSpan("order.completed", "2", traceparent).ended()
        assert not spans.all()


@pytest.mark.unit
def test_a_callers_baggage_is_not_forwarded() -> None:
    with recorded_spans():
        sent = propagate.extract({"traceparent": PARENT, "baggage": "secret=1"})
        carrier: dict[str, str] = {}
        propagate.inject(carrier, sent)
    assert carrier == {"traceparent": PARENT}
