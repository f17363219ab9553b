"""What a run found: numbers per round for each side, their middle and spread, and whether a budget was kept."""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Self

from pydantic import BaseModel, ConfigDict, computed_field

__all__ = ["Budget", "Finding", "Measurement", "Side", "Spread", "in_turns", "percentile"]


def in_turns(sides: Sequence[str], rounds: int) -> list[str]:
    """Every side once per round, in rotating order, so that no side has the advantage of a fixed position."""
    return [sides[(number + place) % len(sides)] for number in range(rounds) for place in range(len(sides))]


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that at least `part` (0 to 1) of all values do not exceed; no value is made up between two."""
    if not values:
        raise ValueError("no values")
    return sorted(values)[max(0, math.ceil(part * len(values)) - 1)]


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")  # what is computed is written, and read past


class Spread(_Figures):
    """The middle of several rounds, with the lowest and the highest of them."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Of at least one value."""
        return cls(median=median(values), low=min(values), high=max(values))


class Side(_Figures):
    """One side of a comparison: a figure per round, and the processor time of each process while it was measured.

    `cpu` is cores in use, per process: 1.0 is one core all the time.
    """

    name: str
    rounds: tuple[float, ...]
    cpu: Mapping[str, float] = {}

    @classmethod
    def of(cls, name: str, rounds: Sequence[float], cpu: Sequence[Mapping[str, float]] = ()) -> Self:
        """Join the rounds; of the processor time the middle of all rounds."""
        processes = dict.fromkeys(process for one in cpu for process in one)
        cores = {process: median(one.get(process, 0.0) for one in cpu) for process in processes}
        return cls(name=name, rounds=tuple(rounds), cpu=cores)

    @computed_field  # type: ignore[prop-decorator]  # pydantic's own way
    @property
    def spread(self) -> Spread:
        """Over the rounds."""
        return Spread.of(self.rounds)


class Budget(_Figures):
    """What is promised: at least a part of the reference, at most a multiple of it, or at most so much."""

    ratio_at_least: float | None = None
    ratio_at_most: float | None = None
    value_below: float | None = None

    def text(self, unit: str) -> str:
        """As a person says it."""
        if self.ratio_at_least is not None:
            return f"≥ {self.ratio_at_least:.0%}"
        if self.ratio_at_most is not None:
            return f"≤ {self.ratio_at_most:g} ×"
        return f"< {self.value_below:g} {unit}" if self.value_below is not None else "-"


class Measurement(_Figures):
    """The product against the plain thing, in the same run and in turns, so that both had the same machine.

    The ratio is taken round by round, since neighbours in time are alike, and the middle of those counts.
    """

    name: str
    question: str
    unit: str
    subject: Side
    reference: Side
    budget: Budget | None = None
    note: str = ""

    @computed_field  # type: ignore[prop-decorator]  # pydantic's own way
    @property
    def ratio(self) -> Spread:
        """Subject to reference, per round."""
        return Spread.of([one / other for one, other in zip(self.subject.rounds, self.reference.rounds, strict=True)])

    @computed_field  # type: ignore[prop-decorator]  # pydantic's own way
    @property
    def kept(self) -> bool | None:
        """Whether the budget was kept; None when there is none."""
        if self.budget is None:
            return None
        if self.budget.ratio_at_least is not None and self.ratio.median < self.budget.ratio_at_least:
            return False
        if self.budget.ratio_at_most is not None and self.ratio.median > self.budget.ratio_at_most:
            return False
        return self.budget.value_below is None or self.subject.spread.median < self.budget.value_below


class Finding(_Figures):
    """One figure, once a round, without a baseline. `cpu` is cores in use per process: 1.0 is one core all the time.

    `at_least` and `below` are its budget.
    """

    part: str
    name: str
    unit: str
    rounds: tuple[float, ...]
    at_least: float | None = None
    below: float | None = None
    note: str = ""
    cpu: Mapping[str, float] = {}

    @computed_field  # type: ignore[prop-decorator]  # pydantic's own way
    @property
    def spread(self) -> Spread:
        """Over the rounds."""
        return Spread.of(self.rounds)

    @computed_field  # type: ignore[prop-decorator]  # pydantic's own way
    @property
    def kept(self) -> bool | None:
        """Whether the median keeps the budget; None when there is none."""
        if self.at_least is None and self.below is None:
            return None
        value = self.spread.median
        return (self.at_least is None or value >= self.at_least) and (self.below is None or value < self.below)

    def budget_text(self) -> str:
        """The budget for a table."""
        if self.at_least is not None:
            return f"≥ {self.at_least:g}"
        return f"< {self.below:g}" if self.below is not None else ""
