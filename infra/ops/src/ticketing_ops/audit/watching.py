"""`ticketing audit --watch`: an audit every few seconds, shown on the screen and as gauges for Prometheus."""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
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

BROKEN: Final = 1
UNREADABLE: Final = 2


class InvariantGauges:
    """`invariant_violations{invariant=…}`, one series for each invariant, and when the last complete audit ended."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._violations = Gauge(
            "invariant_violations", "Broken places by rule, at the last audit", ["invariant"], registry=self.registry
        )
        # An audit that cannot read leaves the gauge above unchanged, so a monitor needs the age of the figures.
        self._finished = Gauge(
            "invariant_audit_timestamp_seconds",
            "When the last complete audit ended (Unix time)",
            registry=self.registry,
        )

    def set(self, report: Report) -> None:
        """Set all gauges; zero for an invariant that holds."""
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
    """Audit until Ctrl-C or SIGTERM; returns the status of the last audit. `plain`: one line for each, not in place."""
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
    with Live(Text("reading…"), console=console, auto_refresh=False) if in_place else nullcontext() as live:
        while not stop.is_set():
            auditing = asyncio.ensure_future(once())
            await asyncio.wait({auditing, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not auditing.done():
                auditing.cancel()
                await asyncio.gather(auditing, return_exceptions=True)
                break
            try:
                report = auditing.result()
                gauges.set(report)
                summary, status = show(report), BROKEN if report.violations else 0
            except UnreadableError as error:
                summary, status = f"[bold red]✗[/] {escape(str(error))}", UNREADABLE
            if isinstance(live, Live):
                live.update(Text.from_markup(summary), refresh=True)
            elif plain:
                sys.stdout.write(summary + "\n")
                sys.stdout.flush()
            else:
                console.print(summary, soft_wrap=True)
            await asyncio.wait({stopped}, timeout=every_seconds)
    stopped.cancel()
    return status
