"""The figures of a run: one per round, with or without a baseline, and whether the budget is kept."""

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, computed_field

Answer: TypeAlias = Mapping[str, Any]
"""What one side returned for one round: its figures by name, and `cpu`."""


class InvalidRunError(Exception):
    """A side did not do all of its work, so that its figures have no meaning."""


def in_turns(sides: Sequence[str], rounds: int) -> list[str]:
    """Every side once per round, in rotating order, so that no side has the advantage of a fixed position."""
    return [sides[(number + place) % len(sides)] for number in range(rounds) for place in range(len(sides))]


def measure_in_turns(
    sides: Mapping[str, Callable[[float], Answer]],
    rounds: int,
    amount: float,
    *,
    warm_up: float = 0.0,
    say: Callable[[str, Answer], None],
) -> dict[str, list[Answer]]:
    """Let each side do `amount` per round; `warm_up` is the part of it that each does once before, uncounted."""
    for measure in sides.values() if warm_up else ():
        measure(amount * warm_up)
    answers: dict[str, list[Answer]] = {name: [] for name in sides}
    for name in in_turns(list(sides), rounds):
        answers[name].append(sides[name](amount))
        say(name, answers[name][-1])
    return answers


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that at least `part` (0 to 1) of all values do not exceed; no value is interpolated."""
    if not values:
        raise ValueError("no values")
    return sorted(values)[max(0, math.ceil(part * len(values)) - 1)]


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")  # computed fields are written, and ignored when read


class Spread(_Figures):
    """The median of several rounds, with the lowest and the highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Of at least one value."""
        return cls(median=median(values), low=min(values), high=max(values))


class Finding(_Figures):
    """One figure, measured once per round; with a `baseline` that was measured in the same rounds, their ratio counts.

    The ratio is taken round by round, because neighbours in time had the same machine. `at_least`, `at_most` and
    `below` are the budget: of the median ratio if there is a baseline, otherwise of the median. `cpu` is cores in use
    by process: 1.0 is one core all the time.
    """

    part: str
    name: str
    unit: str
    rounds: tuple[float, ...]
    baseline: tuple[float, ...] = ()
    at_least: float | None = None
    at_most: float | None = None
    below: float | None = None
    note: str = ""
    cpu: Mapping[str, float] = {}
    baseline_cpu: Mapping[str, float] = {}

    @classmethod
    def compared(cls, figure: str, subject: Sequence[Answer], baseline: Sequence[Answer], **about: Any) -> Self:
        """The finding about one figure of both sides, with the median CPU time of each."""
        return cls(
            rounds=tuple(answer[figure] for answer in subject),
            baseline=tuple(answer[figure] for answer in baseline),
            cpu=median_cpu(subject),
            baseline_cpu=median_cpu(baseline),
            **about,
        )

    @computed_field  # type: ignore[prop-decorator]  # pydantic's own way
    @property
    def spread(self) -> Spread:
        """Over the rounds."""
        return Spread.of(self.rounds)

    @computed_field  # type: ignore[prop-decorator]  # pydantic's own way
    @property
    def ratio(self) -> Spread | None:
        """To the baseline, over the rounds; None without a baseline."""
        if not self.baseline:
            return None
        return Spread.of([one / other for one, other in zip(self.rounds, self.baseline, strict=True)])

    @computed_field  # type: ignore[prop-decorator]  # pydantic's own way
    @property
    def kept(self) -> bool | None:
        """Whether the budget is kept; None when there is none."""
        if self.at_least is None and self.at_most is None and self.below is None:
            return None
        value = (self.ratio or self.spread).median
        return (
            (self.at_least is None or value >= self.at_least)
            and (self.at_most is None or value <= self.at_most)
            and (self.below is None or value < self.below)
        )

    def budget_text(self) -> str:
        """The budget for a table."""
        bounds = (("≥", self.at_least), ("≤", self.at_most), ("<", self.below))
        times = " ×" if self.baseline else ""
        return ", ".join(f"{sign} {bound:g}{times}" for sign, bound in bounds if bound is not None)


def median_cpu(answers: Sequence[Answer]) -> dict[str, float]:
    """The median CPU time of all rounds by process; a process that one round does not name counts as 0 there."""
    processes = dict.fromkeys(process for answer in answers for process in answer["cpu"])
    return {process: median(answer["cpu"].get(process, 0.0) for answer in answers) for process in processes}
