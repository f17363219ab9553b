"""Two sides asked in turns, and what of it may be quoted."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from ticketing_bench.measurement import Budget, Measurement, Side, in_turns
from ticketing_bench.worker import Worker
from ticketing_testkit.servers import ServerProcess

from .serving import Deployment

__all__ = ["Answer", "Bench", "Contender", "UnexpectedAnswerError", "check_answers"]

Answer: TypeAlias = Mapping[str, Any]

WARM_UP: Final = 0.3
"""The part of a round that each side is asked before the first, and that is not counted."""


class UnexpectedAnswerError(Exception):
    """A side answered otherwise than it should, or not at all: its figure would mean nothing."""


def check_answers(name: str, statuses: Mapping[str, int], expected: int) -> None:
    """Raise `UnexpectedAnswerError` unless there were answers and all had this status."""
    if statuses.keys() != {str(expected)}:
        raise UnexpectedAnswerError(f"{name}: {expected} was expected, and came: {dict(statuses) or 'nothing'}")


@dataclass(frozen=True)
class Contender:
    """One side: `measure` takes seconds; `process` is the one whose processor time its calls are charged with."""

    name: str
    measure: Callable[[float], Answer]
    process: str = "server"


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
    ) -> Contender:
        """A side over HTTP. `requests` makes those of a round; `once` when none may be repeated."""

        def measure(seconds: float) -> Answer:
            answer = self.generator.ask(
                "flood",
                port=server.port,
                requests=requests(),
                connections=self.connections,
                seconds=seconds,
                once=once,
                pids=self.deployment.pids_of(server),
            )
            check_answers(name, answer["statuses"], expected)
            return answer

        return Contender(name, measure)

    def compare_costs(
        self,
        name: str,
        subject: Contender,
        reference: Contender,
        *,
        question: str,
        budget: Budget | None = None,
        unit: str = "requests/s",
        note: str = "",
    ) -> list[Measurement]:
        """Calls a second, with the budget; and what one costs its process, which is less moved by what else goes on."""
        sides = {"subject": subject, "reference": reference}
        for contender in sides.values():
            contender.measure(self.seconds * WARM_UP)
        rates: dict[str, list[float]] = defaultdict(list)
        cpu: dict[str, list[Mapping[str, float]]] = defaultdict(list)
        for side in in_turns(list(sides), self.rounds):
            answer = sides[side].measure(self.seconds)
            rates[side].append(answer["rate"])
            cpu[side].append(answer["cpu"])
            self.say(f"{name}: {sides[side].name}: {answer['rate']:,.0f} {unit}")

        def costs(side: str) -> list[float]:
            process = sides[side].process
            return [cores[process] / rate * 1e6 for rate, cores in zip(rates[side], cpu[side], strict=True)]

        return [
            Measurement(
                name=name,
                question=question,
                unit=unit,
                budget=budget,
                note=note,
                **{side: Side.of(one.name, rates[side], cpu[side]) for side, one in sides.items()},
            ),
            Measurement(
                name=f"{name}, processor",
                question="How much processor time does that take in the process that is asked?",
                unit=f"µs/{unit.removesuffix('s/s')}",
                note=note,
                **{side: Side.of(one.name, costs(side)) for side, one in sides.items()},
            ),
        ]

    def compare_delays(
        self,
        name: str,
        subject: Contender,
        reference: Contender,
        *,
        question: str,
        budget: Budget | None = None,
        note: str = "",
    ) -> list[Measurement]:
        """How late answers are, from when they were due: p50, and p99 with the budget."""
        sides = {"subject": subject, "reference": reference}
        late: dict[tuple[str, str], list[float]] = defaultdict(list)
        cpu: dict[str, list[Mapping[str, float]]] = defaultdict(list)
        # Of the processor time there is one figure for both.
        parts: Mapping[str, tuple[Budget | None, Mapping[str, list[Mapping[str, float]]]]]
        parts = {"p50": (None, {}), "p99": (budget, cpu)}
        for side in in_turns(list(sides), self.rounds):
            answer = sides[side].measure(self.watch_seconds)
            for part in parts:
                late[side, part].append(answer[part])
            cpu[side].append(answer["cpu"])
            self.say(f"{name}: {sides[side].name}: p50 {answer['p50']:.1f} ms, p99 {answer['p99']:.1f} ms")
        return [
            Measurement(
                name=f"{name}, {part}",
                question=question,
                unit="ms",
                budget=promised,
                note=note,
                **{side: Side.of(one.name, late[side, part], used.get(side, ())) for side, one in sides.items()},
            )
            for part, (promised, used) in parts.items()
        ]
