"""How much a run does: bounded in count and time."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Sizes:
    """Rates are per second and core, times in seconds."""

    rounds: int = 3
    buyers: int = 2_000
    burst_tickets: tuple[int, ...] = (200, 20_000)
    seats: int = 20_000
    rates: tuple[float, ...] = (20, 40, 60, 80, 100, 120, 150, 200)
    step_seconds: float = 20
    buys: int = 400
    buys_at_once: tuple[int, ...] = (16, 128)
    sellers: int = 1_000
    sellers_at_once: int = 32
    catalogues: tuple[int, ...] = (1_000, 100_000, 1_000_000)
    asked: int = 200
    starts: int = 5
    expiring: int = 10_000
    lead_seconds: float = 150
    spread_seconds: float = 60
    probe_seconds: float = 10


FULL: Final = Sizes()
QUICK: Final = Sizes(
    rounds=1,
    buyers=300,
    burst_tickets=(30, 3_000),
    rates=(10, 20),
    step_seconds=4,
    buys=80,
    sellers=200,
    catalogues=(1_000, 10_000),
    asked=50,
    starts=1,
    expiring=300,
    lead_seconds=15,
    spread_seconds=5,
    probe_seconds=1,
)
