"""A separate stack for one run: every process of the product, without a client."""

import os
from pathlib import Path
from typing import Final

from ticketing_local.stack import PREFERRED_PORTS, Stack, StackOptions

RATES: Final = ("SIGNIN", "SIGNUP", "HOLDS", "LISTINGS", "PAYMENTS")
FIRST_PORT: Final = 20_000
PORTS: Final = 10_000
"""Below the kernel's ports for outgoing connections: a killed server must find its port free again."""


def make_stack(data_dir: Path, *, window_seconds: int) -> Stack:
    """A stack on its own ports and without rate limits; not started."""
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
