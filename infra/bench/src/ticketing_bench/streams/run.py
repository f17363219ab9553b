"""The run: a thousand browsers on one replica, round by round, and every delivery counted."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ticketing_bench.measurement import Finding, InvalidRunError, percentile
from ticketing_bench.servers import running_servers
from ticketing_bench.worker import Worker

from .clients import ClientsRole
from .serving import ServiceRole


@dataclass(frozen=True)
class Sizes:
    """How long a run takes."""

    rounds: int
    browsers: int
    seconds: float
    per_second: float = 5.0


FULL: Final = Sizes(rounds=5, browsers=1_000, seconds=10.0)
QUICK: Final = Sizes(rounds=2, browsers=1_000, seconds=4.0)


def run(sizes: Sizes, say: Callable[[str], None]) -> list[Finding]:
    """Measure; raises `InvalidRunError` when a browser missed an event or received it twice."""
    p50: list[float] = []
    p99: list[float] = []
    cpu: dict[str, float] = {}
    with (
        running_servers() as servers,
        Worker(ServiceRole, urls=servers.urls, pids=servers.pids) as service,
        Worker(ClientsRole, urls={}, pids={}) as clients,
    ):
        for _ in range(sizes.rounds):
            times, cpu = _one(service, clients, sizes)
            p50.append(percentile(times, 0.5))
            p99.append(percentile(times, 0.99))
            say(f"streams: p50 {p50[-1]:.1f} ms, p99 {p99[-1]:.1f} ms")
    note = f"{sizes.browsers} browsers, {sizes.per_second:g} events/s for {sizes.seconds:g} s a round, open loop"
    part, unit = "streams", "ms"
    return [
        Finding(part=part, name="commit to browser, p50", unit=unit, rounds=tuple(p50), note=note, cpu=cpu),
        Finding(
            part=part, name="commit to browser, p99", unit=unit, rounds=tuple(p99), below=250.0, note=note, cpu=cpu
        ),
    ]


def _one(worker: Worker, clients: Worker, sizes: Sizes) -> tuple[list[float], dict[str, float]]:
    count = max(1, int(sizes.per_second * sizes.seconds))
    clients.ask("arrive", **worker.ask("address"), browsers=sizes.browsers)
    clients.begin("collect", count=count * sizes.browsers)
    created = worker.ask("create", rate=sizes.per_second, count=count)
    seen = clients.answer()
    clients.ask("leave")
    arrivals, due = seen["arrivals"], created["due"]
    if arrivals.keys() != due.keys() or any(len(moments) != sizes.browsers for moments in arrivals.values()):
        delivered = sum(map(len, arrivals.values()))
        raise InvalidRunError(f"{delivered} deliveries of {count} tickets to {sizes.browsers} browsers")
    times = [(moment - due[ticket]) * 1000 for ticket, moments in arrivals.items() for moment in moments]
    return times, {**created["cpu"], **seen["cpu"]}
