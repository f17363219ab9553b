"""A whole stack of a run's own: every process of the product, without a client."""

import os
from pathlib import Path
from typing import Final

from ticketing_local.stack import PREFERRED_PORTS, Stack, StackOptions

__all__ = ["make_stack"]

RATES: Final = ("SIGNIN", "SIGNUP", "HOLDS", "LISTINGS", "PAYMENTS")
FIRST_PORT: Final = 20_000
PORTS: Final = 10_000
"""Below those that the kernel gives to outgoing connections: a killed server must find its port free again."""


def make_stack(data_dir: Path, *, window_seconds: int) -> Stack:
    """On ports of its own and without rate limits; not started."""
    base = FIRST_PORT + (os.getpid() * len(PREFERRED_PORTS)) % PORTS
    return Stack(
        StackOptions(
            data_dir,
            client=False,
            reservation_window_seconds=window_seconds,
            ports={name: base + number for number, name in enumerate(PREFERRED_PORTS)},
            environment={f"RATE_LIMIT_{what}": "off" for what in RATES},
        )
    )
