"""A small run, so that the benchmark keeps working; the speed of this machine is not checked."""

import pytest
from nats.js import JetStreamContext

from ticketing_bench.delivery.broker import make_orders, publish_windowed
from ticketing_bench.delivery.run import IncompleteRoundError, Sizes, _Rounds, run
from ticketing_common.events.subjects import ORDERS
from ticketing_common.messaging import ensure_stream, stream_config
from ticketing_testkit.apps import Bus

SMALL = Sizes(rounds=2, relayed=300, consumed=300, latency_seconds=0.5, warm_up=0.1)


def test_a_small_run_measures_all_and_loses_nothing() -> None:
    said: list[str] = []

    report = run(SMALL, quick=True, say=said.append)

    assert [one.name for one in report.measurements] == [
        "relay, notify",
        "relay, sweep",
        "consumer, no-op handler",
    ]
    for one in report.measurements:
        assert len(one.subject.rounds) == len(one.reference.rounds) == 2
        assert min(*one.subject.rounds, *one.reference.rounds) >= 0
        assert one.reference.cpu.keys() >= {"mongod", "nats-server"}
    assert [one.name for one in report.findings] == ["commit to handler, p50", "commit to handler, p99"]
    for found in report.findings:
        assert len(found.rounds) == 2
        assert min(found.rounds) > 0
    assert len(said) == 2 * (3 + 2 + 1)


@pytest.mark.unit
def test_a_round_that_lost_a_message_is_refused() -> None:
    side = _Rounds("relay")

    with pytest.raises(IncompleteRoundError, match="relay"):
        side.take({"rate": 1e9, "cpu": {}, "complete": False})

    assert side.values == []


async def test_the_baseline_sends_the_same_messages_as_the_relay(bus: Bus) -> None:
    js: JetStreamContext = bus.js
    await ensure_stream(js, stream_config(ORDERS, replicas=1))
    entries = [entry for _, entry in make_orders(600)]  # more than two windows

    await publish_windowed(js, entries)

    info = await js.stream_info(ORDERS)
    assert info.state.messages == 600
    last = await js.get_msg(ORDERS, seq=600)
    headers = last.headers or {}
    assert headers.keys() == {"Nats-Msg-Id", "traceparent"}
    sent = {entry.id: entry for entry in entries}[headers["Nats-Msg-Id"]]
    assert (last.subject, last.data, headers["traceparent"]) == (sent.subject, sent.body, sent.traceparent)
