"""Two sides that are measured in turns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ticketing_bench.cpu_time import TICK_SECONDS
from ticketing_bench.measurement import Answer, Finding, InvalidRunError, measure_in_turns
from ticketing_bench.worker import Worker
from ticketing_testkit.servers import ServerProcess

from .serving import Deployment

WARM_UP: Final = 0.3
"""The part of a round that each side is asked before the first, and that is not counted."""
LEAD_SECONDS: Final = 0.5
PART: Final = "routes"


def check_answers(name: str, statuses: Mapping[int, int], expected: int) -> None:
    """Raise `InvalidRunError` unless there were answers and all had this status."""
    if statuses.keys() != {expected}:
        raise InvalidRunError(f"{name}: {expected} was expected, and came: {dict(statuses) or 'nothing'}")


@dataclass(frozen=True)
class Contender:
    """One side: `measure` takes seconds, and names the measured process `server`."""

    name: str
    measure: Callable[[float], Answer]


@dataclass(frozen=True)
class Bench:
    """What all measurements of a run share."""

    deployment: Deployment
    generator: Worker
    rounds: int
    seconds: float
    watch_seconds: float
    connections: int
    say: Callable[[str], None]

    def asked(
        self,
        name: str,
        server: ServerProcess,
        requests: Callable[[], Sequence[str]],
        *,
        expected: int = 200,
        once: bool = False,
        at_once: int | None = None,
    ) -> Contender:
        """A side over HTTP. `requests` makes those of a round; `once` when none may be repeated.

        `at_once` is the number of connections, if it is not that of the run.
        """

        def measure(seconds: float) -> Answer:
            answer = self.generator.ask(
                "flood",
                port=server.port,
                requests=requests(),
                connections=at_once or self.connections,
                seconds=seconds,
                once=once,
                pids=self.deployment.pids_of(server),
            )
            check_answers(name, answer["statuses"], expected)
            return answer

        return Contender(name, measure)

    def watched(
        self,
        server: ServerProcess,
        probe: Mapping[str, Any],
        seconds: float,
        *,
        beside: Mapping[str, Any] | None = None,
        lead_seconds: float = LEAD_SECONDS,
        pids: Mapping[str, int] | None = None,
    ) -> Answer:
        """The latency of `probe` under the load of `beside`, each with `rate` and `requests`; the probe gets 200."""
        answer = self.generator.ask(
            "watch",
            port=server.port,
            probe=probe,
            beside=beside,
            lead_seconds=lead_seconds,
            seconds=seconds,
            pids={**self.deployment.pids_of(server), **(pids or {})},
        )
        check_answers("the watched request", answer["statuses"], 200)
        return answer

    def compare_costs(
        self, name: str, subject: Contender, baseline: Contender, *, at_least: float, note: str
    ) -> list[Finding]:
        """Requests per second, with the budget; and the CPU time of one, which other load affects less."""
        answers = measure_in_turns(
            {side.name: side.measure for side in (subject, baseline)},
            self.rounds,
            self.seconds,
            warm_up=WARM_UP,
            say=lambda side, answer: self.say(f"{name}: {side}: {answer['rate']:,.0f} requests/s"),
        )
        rates = answers[subject.name], answers[baseline.name]
        # A short round may use less than a tick of the kernel's clock, which counts as nothing.
        least = TICK_SECONDS / self.seconds
        costs = (
            [{"cost": max(one["cpu"]["server"], least) / one["rate"] * 1e6, "cpu": {}} for one in side]
            for side in rates
        )
        return [
            Finding.compared(*("rate", *rates), part=PART, name=name, unit="requests/s", at_least=at_least, note=note),
            Finding.compared("cost", *costs, part=PART, name=f"{name}, processor", unit="µs/request"),
        ]

    def compare_delays(
        self, name: str, subject: Contender, baseline: Contender, *, at_most: float, note: str
    ) -> list[Finding]:
        """The latency from the due time: p50, and p99 with the budget."""
        answers = measure_in_turns(
            {side.name: side.measure for side in (subject, baseline)},
            self.rounds,
            self.watch_seconds,
            say=lambda side, answer: self.say(
                f"{name}: {side}: p50 {answer['p50']:.1f} ms, p99 {answer['p99']:.1f} ms"
            ),
        )
        sides = answers[subject.name], answers[baseline.name]
        return [
            Finding.compared("p50", *sides, part=PART, name=f"{name}, p50", unit="ms", note=note),
            Finding.compared("p99", *sides, part=PART, name=f"{name}, p99", unit="ms", at_most=at_most, note=note),
        ]
