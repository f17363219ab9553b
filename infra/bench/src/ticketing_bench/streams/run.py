"""The run: the same crowd before the service and before the plain thing, in turns, and every delivery counted."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from ticketing_bench.machine import Machine
from ticketing_bench.measurement import Budget, Measurement, Side, percentile
from ticketing_bench.report import Report
from ticketing_bench.servers import running_servers
from ticketing_bench.worker import Worker

from .clients import ClientsRole
from .serving import BaselineRole, ServiceRole

__all__ = ["FULL", "QUICK", "IncompleteClientsError", "Sizes", "run"]

Say = Callable[[str], None]


class IncompleteClientsError(Exception):
    """Somebody was not told of everything, or was told twice: the figures would mean nothing."""


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
    """Measure; raises `IncompleteClientsError` when one delivery of all is missing or too many."""
    machine, at = Machine.this(), datetime.now(UTC)
    parts: dict[str, dict[str, list[float]]] = {side: {"p50": [], "p99": []} for side in ("product", "plain")}
    cpu: dict[str, list[Mapping[str, float]]] = {side: [] for side in parts}
    with running_servers(nats=True) as servers, ExitStack() as stack:
        workers = {
            "product": stack.enter_context(Worker(ServiceRole, urls=servers.urls, pids=servers.pids)),
            "plain": stack.enter_context(Worker(BaselineRole, urls={}, pids={})),
        }
        clients = stack.enter_context(Worker(ClientsRole, urls={}, pids={}))
        for number in range(sizes.rounds):
            for side in sorted(parts, reverse=number % 2 == 0):  # each is first in turn
                times, cores = _one(workers[side], clients, sizes)
                parts[side]["p50"].append(percentile(times, 0.5))
                parts[side]["p99"].append(percentile(times, 0.99))
                cpu[side].append(cores)
                say(f"streams, {side}: p50 {parts[side]['p50'][-1]:.1f} ms, p99 {parts[side]['p99'][-1]:.1f} ms")

    def measurement(part: str, budget: Budget | None) -> Measurement:
        return Measurement(
            name=f"commit to browser, {part}",
            question="How long after a commit is due has a browser been told of it, when so many look on?",
            unit="ms",
            subject=Side.of("GET /api/tickets/stream", parts["product"][part], cpu["product"]),
            reference=Side.of("a queue and a bare stream", parts["plain"][part], cpu["plain"]),
            budget=budget,
            note=f"{sizes.browsers} browsers, {sizes.per_second:g} events/s for {sizes.seconds:g} s a round, open loop",
        )

    return Report(
        name="streams",
        title=f"Live updates to {sizes.browsers:,} browsers of one replica",
        at=at,
        quick=quick,
        machine=machine,
        measurements=(measurement("p50", None), measurement("p99", Budget(value_below=250.0))),
    )


def _one(worker: Worker, clients: Worker, sizes: Sizes) -> tuple[list[float], dict[str, float]]:
    count = max(1, int(sizes.per_second * sizes.seconds))
    clients.ask("arrive", **worker.ask("address"), browsers=sizes.browsers)
    clients.begin("collect", count=count * sizes.browsers)
    told = worker.ask("tell", rate=sizes.per_second, count=count)
    seen = clients.answer()
    clients.ask("leave")
    arrivals, due = seen["arrivals"], told["due"]
    if arrivals.keys() != due.keys() or any(len(moments) != sizes.browsers for moments in arrivals.values()):
        delivered = sum(map(len, arrivals.values()))
        raise IncompleteClientsError(f"{delivered} deliveries of {count} tickets to {sizes.browsers} browsers")
    times = [(moment - due[ticket]) * 1000 for ticket, moments in arrivals.items() for moment in moments]
    return times, {**told["cpu"], **seen["cpu"]}
