"""`ticketing audit --watch`: again every few seconds, on the screen and as a gauge for Prometheus."""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, start_http_server
from rich.live import Live
from rich.markup import escape
from rich.text import Text

from ticketing_common.entity import utc_now
from ticketing_ops.console import console, fail

from .examination import Report
from .invariants import INVARIANTS
from .unreadable import UnreadableError

__all__ = ["InvariantGauges", "watch"]

BROKEN: Final = 1
UNREADABLE: Final = 2


class InvariantGauges:
    """`invariant_violations{invariant=…}`, one series for each rule, and when the last audit came to its end."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._violations = Gauge(
            "invariant_violations", "Broken places by rule, at the last audit", ["invariant"], registry=self.registry
        )
        # An audit that cannot read changes nothing above, so a monitor has to see that the figures grow old.
        self._finished = Gauge(
            "invariant_audit_timestamp_seconds",
            "When the last complete audit ended (Unix time)",
            registry=self.registry,
        )

    def tell(self, report: Report) -> None:
        """Zero for a rule that holds."""
        counts = Counter(violation.invariant for violation in report.violations)
        for name in INVARIANTS:
            self._violations.labels(name).set(counts[name])
        self._finished.set(utc_now().timestamp())


def watch(
    once: Callable[[], Awaitable[Report]],
    show: Callable[[Report], str],
    *,
    every_seconds: float,
    metrics_port: int | None,
    plain: bool,
) -> int:
    """Until Ctrl-C or SIGTERM; the status is that of the last audit. `plain`: a line for each instead of in place."""
    gauges = InvariantGauges()
    server = None
    if metrics_port is not None:
        try:
            server, _ = start_http_server(metrics_port, registry=gauges.registry)
        except OSError as error:
            fail(f"Port {metrics_port} cannot be used: {error.strerror}.")
    try:
        return asyncio.run(_watch(once, show, gauges, every_seconds=every_seconds, plain=plain))
    finally:
        if server is not None:
            server.shutdown()
            server.server_close()


async def _watch(
    once: Callable[[], Awaitable[Report]],
    show: Callable[[Report], str],
    gauges: InvariantGauges,
    *,
    every_seconds: float,
    plain: bool,
) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    stopped = asyncio.ensure_future(stop.wait())
    status = 0
    in_place = not plain and console.is_terminal
    with Live(Text("reading…"), console=console, auto_refresh=False) if in_place else _Nothing() as live:
        while not stop.is_set():
            looking = asyncio.ensure_future(once())
            await asyncio.wait({looking, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not looking.done():
                looking.cancel()
                await asyncio.gather(looking, return_exceptions=True)
                break
            try:
                report = looking.result()
                gauges.tell(report)
                said, status = show(report), BROKEN if report.violations else 0
            except UnreadableError as error:
                said, status = f"[bold red]✗[/] {escape(str(error))}", UNREADABLE
            if isinstance(live, Live):
                live.update(Text.from_markup(said), refresh=True)
            elif plain:
                sys.stdout.write(said + "\n")
                sys.stdout.flush()
            else:
                console.print(said, soft_wrap=True)
            await asyncio.wait({stopped}, timeout=every_seconds)
    stopped.cancel()
    return status


class _Nothing:
    """In the place of the screen, where there is none."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_error: object) -> None:
        return None
