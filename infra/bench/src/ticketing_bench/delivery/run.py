"""The run: rounds in turns, what each must have delivered, and the report."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from ticketing_bench.machine import Machine
from ticketing_bench.measurement import Budget, Measurement, Side, in_turns, percentile
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
    """A side was done before its work was: its figure would mean nothing."""


@dataclass(frozen=True)
class Sizes:
    """How long a run takes. `warm_up` is the part of a round that is done once before, and not counted."""

    rounds: int
    relayed: int
    consumed: int
    latency_seconds: float
    warm_up: float = 0.2


FULL: Final = Sizes(rounds=7, relayed=15_000, consumed=20_000, latency_seconds=10.0)
QUICK: Final = Sizes(rounds=2, relayed=5_000, consumed=5_000, latency_seconds=4.0)


def run(sizes: Sizes, *, quick: bool, say: Say) -> Report:
    """Measure everything; raises `IncompleteRoundError` when a message got lost on the way."""
    machine, at = Machine.this(), datetime.now(UTC)
    with running_servers(nats=True) as servers:
        measurements = (
            *_relay(servers, sizes, say),
            *_latency(servers, sizes, say),
            _consumer(servers, sizes, say),
        )
    title = "The event backbone against the bare broker"
    return Report(name="backbone", title=title, at=at, quick=quick, machine=machine, measurements=measurements)


class _Rounds:
    """What came of one side, round by round."""

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


def _latency(servers: Servers, sizes: Sizes, say: Say) -> list[Measurement]:
    count = max(1, int(sizes.latency_seconds * EVENTS_PER_SECOND))
    found: dict[str, dict[str, list[float]]] = {order: defaultdict(list) for order in ("publish", "commit")}
    cpu: dict[str, list[Mapping[str, float]]] = {order: [] for order in found}
    with ExitStack() as stack:
        sender = stack.enter_context(Worker(SenderRole, urls=servers.urls, pids=servers.pids))
        receiver = stack.enter_context(Worker(ReceiverRole, urls=servers.urls, pids={}))
        few = max(1, int(count * sizes.warm_up))
        for order in ("commit", "publish"):
            _one_latency(sender, receiver, order, few)
        for order in in_turns(["publish", "commit"], sizes.rounds):
            times, cores = _one_latency(sender, receiver, order, count)
            for part, values in times.items():
                found[order][part].append(values)
            cpu[order].append(cores)
            say(f"latency, {order}: p50 {times['p50']:.2f} ms, p99 {times['p99']:.2f} ms")

    def measurement(part: str, name: str, budget: Budget | None) -> Measurement:
        return Measurement(
            name=name,
            question="How long after a commit is due does another process handle its event?",
            unit="ms",
            subject=Side.of("commit to handler", found["commit"][part], cpu["commit"]),
            reference=Side.of("publish to delivery", found["publish"][part], cpu["publish"]),
            budget=budget,
            note=f"open loop, {EVENTS_PER_SECOND:g} events/s for {sizes.latency_seconds:g} s a round",
        )

    return [
        measurement("p50", "commit to handler, p50", None),
        measurement("p99", "commit to handler, p99", Budget(value_below=100.0)),
        measurement("from_commit_p99", "… from the acknowledged commit, p99", None),
    ]


def _one_latency(sender: Worker, receiver: Worker, order: str, count: int) -> tuple[dict[str, float], dict[str, float]]:
    sender.ask("empty")
    receiver.ask("listen", product=order == "commit")
    receiver.begin("collect", count=count)
    sent = sender.ask(order, rate=EVENTS_PER_SECOND, count=count)
    received = receiver.answer()
    handled, due, acknowledged = received["handled"], sent["due"], sent["acknowledged"]
    missing = due.keys() - handled.keys()
    if missing:
        raise IncompleteRoundError(f"{order}: {len(missing)} of {count} events never reached the handler")
    times = [(handled[one] - due[one]) * 1000 for one in due]
    # The handler may be done before the writer has read the database's answer: that is no time.
    after = [max(0.0, handled[one] - acknowledged[one]) * 1000 for one in due]
    figures = {
        "p50": percentile(times, 0.5),
        "p99": percentile(times, 0.99),
        "from_commit_p99": percentile(after, 0.99),
    }
    return figures, {**sent["cpu"], **received["cpu"]}
