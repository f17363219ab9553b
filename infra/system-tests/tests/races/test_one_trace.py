"""One request is one trace: through the outbox, over the bus, into every consuming service, and to the timer."""

from collections.abc import AsyncIterator, Iterator, Sequence
from secrets import token_hex

import pytest
import pytest_asyncio
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from ticketing_system.in_process import InProcessMarket, Servers
from ticketing_system.market import GOOD_CARD
from ticketing_testkit.spans import RecordedSpans, recorded_spans
from ticketing_testkit.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]

SELLER, BUYER = 0, 1


@pytest.fixture(scope="module")
def spans() -> Iterator[RecordedSpans]:
    with recorded_spans() as recorded:
        yield recorded


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def traced_market(spans: RecordedSpans, servers: Servers) -> AsyncIterator[InProcessMarket]:
    """A market whose spans are recorded; the reconciler, whose work has separate traces, must not be faster."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        async with InProcessMarket.open(servers, monkeypatch, reconcile_seconds=600) as opened:
            yield opened


def begin_trace() -> tuple[str, dict[str, str]]:
    """Begin a trace as a browser does; returns its id and its header."""
    trace_id = token_hex(16)
    return trace_id, {"traceparent": f"00-{trace_id}-{token_hex(8)}-01"}


async def complete_trace(
    market: InProcessMarket, spans: RecordedSpans, trace_id: str, expected: set[str]
) -> list[ReadableSpan]:
    """The spans of a trace, once it has these and all its events are handled."""

    async def complete() -> bool:
        return expected <= labels(spans.of(trace_id))

    await until(complete, why=lambda: sorted(labels(spans.of(trace_id))))
    await market.settle()
    return spans.of(trace_id)


def labels(spans: Sequence[ReadableSpan]) -> set[str]:
    """The names of the spans, with their consumer: `handle order.created by tickets-orders`."""
    found = set()
    for span in spans:
        group = (span.attributes or {}).get("messaging.consumer.group.name")
        found.add(f"{span.name} by {group}" if group else span.name)
    return found


def parent_of(span: ReadableSpan) -> int:
    assert span.parent is not None
    return span.parent.span_id


def assert_connected(spans: Sequence[ReadableSpan]) -> ReadableSpan:
    """Every span but the first has its parent in the same trace; returns the first."""
    ids = {span.context.span_id for span in spans}
    roots = [span for span in spans if span.parent is None or span.parent.span_id not in ids]
    assert len(roots) == 1, [root.name for root in roots]
    return roots[0]


async def test_one_trace_leads_from_the_order_to_every_consumer(
    traced_market: InProcessMarket, spans: RecordedSpans
) -> None:
    market, buyer = traced_market, traced_market.people[BUYER]
    ticket = await market.list_ticket(market.people[SELLER])
    trace_id, header = begin_trace()
    answer = await market.orders.post("/api/orders", json={"ticketId": ticket}, headers=market.as_(buyer) | header)
    assert answer.status_code == 201

    expected = {
        "POST /api/orders",
        "publish order.created",
        "handle order.created by tickets-orders",
        "handle order.created by payments-orders",
        "handle order.created by expiration-orders",
        "publish ticket.updated",
        "handle ticket.updated by orders-tickets",
    }
    trace_spans = await complete_trace(market, spans, trace_id, expected)

    root = assert_connected(trace_spans)
    assert (root.name, root.kind) == ("POST /api/orders", SpanKind.SERVER)
    by_id = {span.context.span_id: span for span in trace_spans}
    (insert,) = [span for span in trace_spans if span.name.endswith("_orders.insert")]
    assert by_id[parent_of(insert)] is root, "the order's write is the request's own"
    (published,) = [span for span in trace_spans if span.name == "publish order.created"]
    handled = [span for span in trace_spans if span.name == "handle order.created"]
    assert {by_id[parent_of(span)] for span in handled} == {published}
    (armed,) = [span for span in trace_spans if span.name == "redis.enqueue"]
    assert by_id[parent_of(armed)] in handled, "the consumer of the order sets the timer in Redis"
    statements = [str((span.attributes or {}).get("db.statement", "")) for span in trace_spans]
    assert not any(buyer in statement for statement in statements), "no values, only what was done"


async def test_a_payment_is_one_trace_with_its_calls_to_stripe(
    traced_market: InProcessMarket, spans: RecordedSpans
) -> None:
    market, buyer = traced_market, traced_market.people[BUYER]
    order = await market.order(buyer)
    trace_id, header = begin_trace()
    paid = await market.payments[0].post(
        "/api/payments", json={"orderId": order, "paymentMethodId": GOOD_CARD}, headers=market.as_(buyer) | header
    )
    assert paid.status_code == 201

    expected = {
        "POST /api/payments",
        "publish payment.authorized",
        "handle payment.authorized by orders-payments",
        "publish order.completed",
        "handle order.completed by tickets-orders",
        "handle order.completed by payments-orders",
    }
    trace_spans = await complete_trace(market, spans, trace_id, expected)
    assert_connected(trace_spans)
    stripe = [str((span.attributes or {}).get("http.url")) for span in trace_spans if span.kind is SpanKind.CLIENT]
    for call in ("/v1/payment_intents", "/confirm", "/capture"):
        assert any(url.endswith(call) for url in stripe), call
    # Stripe's webhook may be faster than its response; its effects are in a trace that begins at Stripe.
    assert "publish payment.captured" in labels(spans.all())


async def test_a_hold_runs_out_in_the_trace_of_its_order(traced_market: InProcessMarket, spans: RecordedSpans) -> None:
    market, buyer = traced_market, traced_market.people[BUYER]
    ticket = await market.list_ticket(market.people[SELLER])
    trace_id, header = begin_trace()
    market.give_buyers(1)
    await market.orders.post("/api/orders", json={"ticketId": ticket}, headers=market.as_(buyer) | header)

    # Its own timer, another order's timer or the sweep releases it.
    expected = {
        "publish expiration.completed",
        "handle expiration.completed by orders-expirations",
        "publish order.cancelled",
        "handle order.cancelled by tickets-orders",
    }
    trace_spans = await complete_trace(market, spans, trace_id, expected)
    market.give_buyers(900)
    assert_connected(trace_spans)
