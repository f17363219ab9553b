"""The run: alternating rounds, the check that each delivered everything, and the report."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from ticketing_bench.machine import Machine
from ticketing_bench.measurement import Budget, Finding, Measurement, Side, in_turns, percentile
from ticketing_bench.report import Report
from ticketing_bench.servers import Servers, running_servers
from ticketing_bench.worker import Worker

from .consumer import ConsumerRole
from .latency import ReceiverRole, SenderRole
from .relay import RelayRole

__all__ = ["FULL", "QUICK", "IncompleteRoundError", "Sizes", "run"]

Say = Callable[[str], None]

HALF: Final = Budget(ratio_at_least=0.5)
EVENTS_PER_SECOND: Final = 200.0


class IncompleteRoundError(Exception):
    """A side ended without all of its work, so that its figure has no meaning."""


@dataclass(frozen=True)
class Sizes:
    """The sizes of a run. `warm_up` is the part of a round that runs once before and is not counted."""

    rounds: int
    relayed: int
    consumed: int
    latency_seconds: float
    warm_up: float = 0.2


FULL: Final = Sizes(rounds=7, relayed=15_000, consumed=20_000, latency_seconds=10.0)
QUICK: Final = Sizes(rounds=2, relayed=5_000, consumed=5_000, latency_seconds=4.0)


def run(sizes: Sizes, *, quick: bool, say: Say) -> Report:
    """Measure everything; raises `IncompleteRoundError` when a message was lost."""
    machine, at = Machine.this(), datetime.now(UTC)
    with running_servers(nats=True) as servers:
        measurements = (*_relay(servers, sizes, say), _consumer(servers, sizes, say))
        findings = tuple(_latency(servers, sizes, say))
    return Report(
        name="backbone",
        title="The event backbone against the bare broker",
        at=at,
        quick=quick,
        machine=machine,
        measurements=measurements,
        findings=findings,
    )


class _Rounds:
    """The results of one side by round."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.values: list[float] = []
        self.cpu: list[Mapping[str, float]] = []

    def take(self, answer: Mapping[str, Any]) -> None:
        if not answer["complete"]:
            raise IncompleteRoundError(f"{self.name}: not every message was delivered, or not once")
        self.values.append(answer["rate"])
        self.cpu.append(answer["cpu"])

    def side(self) -> Side:
        return Side.of(self.name, self.values, self.cpu)


def _relay(servers: Servers, sizes: Sizes, say: Say) -> list[Measurement]:
    sides = {
        "raw": _Rounds("js.publish, windows of 256"),
        "notify": _Rounds("relay, told of each commit"),
        "sweep": _Rounds("relay, after a crash"),
    }
    with Worker(RelayRole, urls=servers.urls, pids=servers.pids) as worker:
        for order in sides:
            worker.ask(order, count=max(1, int(sizes.relayed * sizes.warm_up)))
        for order in in_turns(list(sides), sizes.rounds):
            sides[order].take(worker.ask(order, count=sizes.relayed))
            say(f"relay, {order}: {sides[order].values[-1]:,.0f} events/s")
    note = f"{sizes.relayed} OrderCreated a round, bodies and headers the same; R1 file store"
    return [
        Measurement(
            name=f"relay, {path}",
            question=question,
            unit="events/s",
            subject=sides[path].side(),
            reference=sides["raw"].side(),
            budget=HALF,
            note=note,
        )
        for path, question in (
            ("notify", "How fast does the relay publish and remove what commits announce?"),
            ("sweep", "How fast does it read, publish and remove what a crash left behind?"),
        )
    ]


def _consumer(servers: Servers, sizes: Sizes, say: Say) -> Measurement:
    sides = {"raw": _Rounds("fetch(100) and ack"), "product": _Rounds("consumer, handler does nothing")}
    with Worker(ConsumerRole, urls=servers.urls, pids=servers.pids) as worker:
        few = max(1, int(sizes.consumed * sizes.warm_up))
        for order in sides:
            worker.ask("fill", count=few)
            worker.ask(order, count=few)
        for order in in_turns(list(sides), sizes.rounds):
            worker.ask("fill", count=sizes.consumed)
            sides[order].take(worker.ask(order, count=sizes.consumed))
            say(f"consumer, {order}: {sides[order].values[-1]:,.0f} events/s")
    return Measurement(
        name="consumer, no-op handler",
        question="How fast does the consumer parse, dispatch and acknowledge?",
        unit="events/s",
        subject=sides["product"].side(),
        reference=sides["raw"].side(),
        budget=HALF,
        note=f"{sizes.consumed} OrderCreated a round, each of an aggregate of its own",
    )


def _latency(servers: Servers, sizes: Sizes, say: Say) -> list[Finding]:
    count = max(1, int(sizes.latency_seconds * EVENTS_PER_SECOND))
    p50: list[float] = []
    p99: list[float] = []
    cpu: dict[str, float] = {}
    with (
        Worker(SenderRole, urls=servers.urls, pids=servers.pids) as sender,
        Worker(ReceiverRole, urls=servers.urls, pids={}) as receiver,
    ):
        _one_latency(sender, receiver, max(1, int(count * sizes.warm_up)))
        for _ in range(sizes.rounds):
            times, cpu = _one_latency(sender, receiver, count)
            p50.append(percentile(times, 0.5))
            p99.append(percentile(times, 0.99))
            say(f"latency: p50 {p50[-1]:.2f} ms, p99 {p99[-1]:.2f} ms")
    note = f"open loop, {EVENTS_PER_SECOND:g} events/s for {sizes.latency_seconds:g} s a round"
    part, unit = "latency", "ms"
    return [
        Finding(part=part, name="commit to handler, p50", unit=unit, rounds=tuple(p50), note=note, cpu=cpu),
        Finding(part=part, name="commit to handler, p99", unit=unit, rounds=tuple(p99), below=100.0, note=note),
    ]


def _one_latency(sender: Worker, receiver: Worker, count: int) -> tuple[list[float], dict[str, float]]:
    sender.ask("empty")
    receiver.ask("listen")
    receiver.begin("collect", count=count)
    sent = sender.ask("commit", rate=EVENTS_PER_SECOND, count=count)
    received = receiver.answer()
    handled, due = received["handled"], sent["due"]
    missing = due.keys() - handled.keys()
    if missing:
        raise IncompleteRoundError(f"{len(missing)} of {count} events never reached the handler")
    return [(handled[one] - due[one]) * 1000 for one in due], {**sent["cpu"], **received["cpu"]}
