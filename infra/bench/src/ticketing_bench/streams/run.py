"""The run: a thousand browsers on one replica, round by round, and every delivery counted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from ticketing_bench.machine import Machine
from ticketing_bench.measurement import Finding, percentile
from ticketing_bench.report import Report
from ticketing_bench.servers import running_servers
from ticketing_bench.worker import Worker

from .clients import ClientsRole
from .serving import ServiceRole

__all__ = ["FULL", "QUICK", "IncompleteClientsError", "Sizes", "run"]

Say = Callable[[str], None]


class IncompleteClientsError(Exception):
    """A browser missed an event or received it twice, so that the figures have no meaning."""


@dataclass(frozen=True)
class Sizes:
    """How long a run takes."""

    rounds: int
    browsers: int
    seconds: float
    per_second: float = 5.0


FULL: Final = Sizes(rounds=5, browsers=1_000, seconds=10.0)
QUICK: Final = Sizes(rounds=2, browsers=1_000, seconds=4.0)


def run(sizes: Sizes, *, quick: bool, say: Say) -> Report:
    """Measure; raises `IncompleteClientsError` when one delivery is missing or duplicated."""
    machine, at = Machine.this(), datetime.now(UTC)
    p50: list[float] = []
    p99: list[float] = []
    cpu: list[Mapping[str, float]] = []
    with (
        running_servers(nats=True) as servers,
        Worker(ServiceRole, urls=servers.urls, pids=servers.pids) as service,
        Worker(ClientsRole, urls={}, pids={}) as clients,
    ):
        for _ in range(sizes.rounds):
            times, cores = _one(service, clients, sizes)
            p50.append(percentile(times, 0.5))
            p99.append(percentile(times, 0.99))
            cpu.append(cores)
            say(f"streams: p50 {p50[-1]:.1f} ms, p99 {p99[-1]:.1f} ms")
    note = f"{sizes.browsers} browsers, {sizes.per_second:g} events/s for {sizes.seconds:g} s a round, open loop"

    def finding(part: str, rounds: list[float], below: float | None) -> Finding:
        return Finding(
            part="streams",
            name=f"commit to browser, {part}",
            unit="ms",
            rounds=tuple(rounds),
            below=below,
            note=note,
            cpu=cpu[-1],
        )

    return Report(
        name="streams",
        title=f"Live updates to {sizes.browsers:,} browsers of one replica",
        at=at,
        quick=quick,
        machine=machine,
        findings=(finding("p50", p50, None), finding("p99", p99, 250.0)),
    )


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
        raise IncompleteClientsError(f"{delivered} deliveries of {count} tickets to {sizes.browsers} browsers")
    times = [(moment - due[ticket]) * 1000 for ticket, moments in arrivals.items() for moment in moments]
    return times, {**created["cpu"], **seen["cpu"]}
