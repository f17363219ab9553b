"""The run: alternating rounds, and the check that each round delivered everything."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ticketing_bench.measurement import Answer, Finding, InvalidRunError, measure_in_turns, percentile
from ticketing_bench.servers import Servers, running_servers
from ticketing_bench.worker import Worker

from .consumer import ConsumerRole
from .latency import ReceiverRole, SenderRole
from .relay import RelayRole

Say = Callable[[str], None]

HALF: Final = 0.5
EVENTS_PER_SECOND: Final = 200.0


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


def run(sizes: Sizes, say: Say) -> list[Finding]:
    """Measure everything; raises `InvalidRunError` when a message was lost."""
    with running_servers() as servers:
        return [*_relay(servers, sizes, say), _consumer(servers, sizes, say), *_latency(servers, sizes, say)]


def complete(name: str, answer: Answer) -> Answer:
    """The answer; raises `InvalidRunError` if the round lost a message."""
    if not answer["complete"]:
        raise InvalidRunError(f"{name}: not every message was delivered, or not once")
    return answer


def _relay(servers: Servers, sizes: Sizes, say: Say) -> list[Finding]:
    with Worker(RelayRole, urls=servers.urls, pids=servers.pids) as worker:

        def side(order: str) -> Callable[[float], Answer]:
            return lambda amount: complete(order, worker.ask(order, count=max(1, int(amount))))

        answers = measure_in_turns(
            {order: side(order) for order in ("raw", "notify", "sweep")},
            sizes.rounds,
            sizes.relayed,
            warm_up=sizes.warm_up,
            say=lambda order, answer: say(f"relay, {order}: {answer['rate']:,.0f} events/s"),
        )
    note = f"{sizes.relayed} OrderCreated a round, bodies and headers the same; R1 file store"
    return [
        Finding.compared(
            *("rate", answers[path], answers["raw"]),
            part="relay",
            name=f"relay, {path}",
            unit="events/s",
            at_least=HALF,
            note=note,
        )
        for path in ("notify", "sweep")
    ]


def _consumer(servers: Servers, sizes: Sizes, say: Say) -> Finding:
    with Worker(ConsumerRole, urls=servers.urls, pids=servers.pids) as worker:

        def side(order: str) -> Callable[[float], Answer]:
            def measure(amount: float) -> Answer:
                count = max(1, int(amount))
                worker.ask("fill", count=count)
                return complete(order, worker.ask(order, count=count))

            return measure

        answers = measure_in_turns(
            {order: side(order) for order in ("raw", "product")},
            sizes.rounds,
            sizes.consumed,
            warm_up=sizes.warm_up,
            say=lambda order, answer: say(f"consumer, {order}: {answer['rate']:,.0f} events/s"),
        )
    return Finding.compared(
        *("rate", answers["product"], answers["raw"]),
        part="consumer",
        name="consumer, no-op handler",
        unit="events/s",
        at_least=HALF,
        note=f"{sizes.consumed} OrderCreated a round, each of a different aggregate",
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
        raise InvalidRunError(f"{len(missing)} of {count} events never reached the handler")
    return [(handled[one] - due[one]) * 1000 for one in due], {**sent["cpu"], **received["cpu"]}
