"""Real servers for one run, with their data in a temporary folder."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ticketing_testkit.servers import Mongod, NatsServer, ServerProcess, running_together

CACHE_GB = 1.0


@dataclass(frozen=True)
class Servers:
    """Addresses by name (`mongo_url`, …), and process ids by program, to count their CPU time."""

    urls: dict[str, str]
    pids: dict[str, int]


@contextmanager
def running_servers() -> Iterator[Servers]:
    """Run MongoDB and NATS inside this block."""
    with tempfile.TemporaryDirectory(prefix="ticketing-bench-") as folder:
        chosen: dict[str, ServerProcess] = {
            "mongo_url": Mongod(Path(folder, "mongod"), cache_gb=CACHE_GB),
            "nats_url": NatsServer(Path(folder, "nats")),
        }
        with running_together(*chosen.values()):
            yield Servers(
                urls={name: server.url for name, server in chosen.items()},
                pids={server.name: server.pid for server in chosen.values() if server.pid is not None},
            )
