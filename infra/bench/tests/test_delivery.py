"""A small run, so that the benchmark keeps working; the speed of this machine is not checked."""

import pytest
from nats.js import JetStreamContext

from ticketing_bench.delivery.broker import make_orders, publish_windowed
from ticketing_bench.delivery.run import Sizes, complete, run
from ticketing_bench.measurement import InvalidRunError
from ticketing_common.messaging import ensure_stream, stream_config
from ticketing_common.topology import ORDERS
from ticketing_testkit.apps import Bus

SMALL = Sizes(rounds=2, relayed=300, consumed=300, latency_seconds=0.5, warm_up=0.1)


def test_a_small_run_measures_all_and_loses_nothing() -> None:
    printed: list[str] = []

    findings = run(SMALL, printed.append)

    compared = [one for one in findings if one.baseline]
    assert [one.name for one in compared] == ["relay, notify", "relay, sweep", "consumer, no-op handler"]
    for one in compared:
        assert len(one.rounds) == len(one.baseline) == 2
        assert min(*one.rounds, *one.baseline) >= 0
        assert one.baseline_cpu.keys() >= {"mongod", "nats-server"}
    alone = [one for one in findings if not one.baseline]
    assert [one.name for one in alone] == ["commit to handler, p50", "commit to handler, p99"]
    for one in alone:
        assert len(one.rounds) == 2
        assert min(one.rounds) > 0
    assert len(printed) == 2 * (3 + 2 + 1)


@pytest.mark.unit
def test_a_round_that_lost_a_message_is_refused() -> None:
    lost = {"rate": 1e9, "cpu": {}, "complete": False}

    with pytest.raises(InvalidRunError, match="relay"):
        complete("relay", lost)

    assert complete("relay", lost | {"complete": True})["rate"] == 1e9


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
