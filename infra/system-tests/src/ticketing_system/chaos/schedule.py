"""The plan of the faults; it depends only on the seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ticketing_common.topology import PROCESSES

Kind = Literal["kill", "pause"]

SERVERS: Final = ("nats-server", "mongod", "valkey-server")
KILLED: Final = (*PROCESSES, *SERVERS)
# The double stands for an external service: it may be slow, but it is never killed.
PAUSED: Final = (*KILLED, "stripe-double")

PAUSE_SHARE: Final = 0.25
QUIET_SECONDS: Final = 1.5
"""Before the first fault, so that there is data to lose."""
LONGEST_SECONDS: Final = 3.0
SHORTEST_GAP_SECONDS: Final = 0.2
LONGEST_GAP_SECONDS: Final = 4.0


@dataclass(frozen=True, slots=True)
class Fault:
    """`target` ends or freezes `at` seconds after the beginning, and is started again or goes on `seconds` later."""

    at: float
    target: str
    kind: Kind
    seconds: float

    @property
    def over(self) -> float:
        """When it is started again or goes on, in seconds after the beginning."""
        return self.at + self.seconds


def plan_faults(seed: int, seconds: float) -> list[Fault]:
    """Faults in the order of their beginning, all over by `seconds`; faults of different processes may overlap.

    Targets are drawn from a shuffled list without repetition, so that a short run also includes each target.
    """
    chance = random.Random(seed)
    packs: dict[Kind, list[str]] = {"kill": [], "pause": []}
    over: dict[str, float] = {}
    faults: list[Fault] = []
    at = QUIET_SECONDS
    while True:
        kind: Kind = "pause" if chance.random() < PAUSE_SHARE else "kill"
        target = _deal(packs[kind], PAUSED if kind == "pause" else KILLED, chance)
        length = round(chance.uniform(0.0 if kind == "kill" else 1.0, LONGEST_SECONDS), 2)
        begin = round(max(at, over.get(target, 0.0) + SHORTEST_GAP_SECONDS), 2)
        if begin + length > seconds:
            return sorted(faults, key=lambda fault: fault.at)
        faults.append(Fault(begin, target, kind, length))
        over[target] = begin + length
        at += chance.uniform(SHORTEST_GAP_SECONDS, LONGEST_GAP_SECONDS)


def _deal(pack: list[str], targets: Sequence[str], chance: random.Random) -> str:
    if not pack:
        pack.extend(chance.sample(targets, len(targets)))
    return pack.pop()
