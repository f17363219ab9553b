"""`ticketing status --watch`: the whole product at a glance, again every second."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final

import httpx
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ticketing_common.storage import DatabaseError, connect

from .audit.addresses import AuditAddresses
from .audit.examination import examine
from .audit.unreadable import UnreadableError
from .console import console
from .data_dir import DataDir, StackState
from .figures import Look, ServiceFigures, circuits, figures_of, highest, total
from .services import SERVICES

__all__ = ["watch_status"]

LOOK_SECONDS: Final = 1.0
ANSWER_SECONDS: Final = 0.8
"""For one service's metrics: one that hangs must not hold up the picture."""
AUDIT_SECONDS: Final = 15.0
SLOW_SECONDS: Final = 0.5
OLD_SECONDS: Final = 5.0


@dataclass
class _Picture:
    """What is known so far."""

    looks: dict[str, Look | None] = field(default_factory=dict)
    figures: dict[str, ServiceFigures] = field(default_factory=dict)
    ready: dict[str, str] = field(default_factory=dict)
    holds_open: str = "…"
    violations: str = "…"


def watch_status(data: DataDir, *, rounds: int | None) -> int:
    """Until Ctrl-C, or so many times; 0, or 3 when nothing runs here (any more)."""
    try:
        return asyncio.run(_watch(data, rounds))
    except KeyboardInterrupt:
        return 0


async def _watch(data: DataDir, rounds: int | None) -> int:
    picture = _Picture()
    auditing: asyncio.Task[None] | None = None
    audit_due = 0.0
    async with httpx.AsyncClient(timeout=ANSWER_SECONDS) as http:
        with Live(console=console, auto_refresh=False, transient=False) as live:
            while rounds is None or rounds > 0:
                state = data.read_state()
                if state is None or not data.is_running():
                    live.console.print("Nothing is running here.")
                    return 3
                if time.monotonic() >= audit_due and (auditing is None or auditing.done()):
                    audit_due = time.monotonic() + AUDIT_SECONDS
                    auditing = asyncio.create_task(_audit(picture, AuditAddresses.of_stack(state, data)))
                await asyncio.gather(
                    *(_look(http, picture, name, state.addresses[name]) for name in (*SERVICES, "worker")),
                    _count_holds(picture, state),
                )
                if rounds is not None:
                    rounds -= 1
                    if rounds == 0 and auditing is not None:
                        await auditing
                live.update(_drawn(picture, state), refresh=True)
                if rounds != 0:
                    await asyncio.sleep(LOOK_SECONDS)
    return 0


async def _look(http: httpx.AsyncClient, picture: _Picture, name: str, address: str) -> None:
    try:
        answer, readiness = await asyncio.gather(http.get(f"{address}/metrics"), http.get(f"{address}/readyz"))
    except httpx.HTTPError:
        picture.ready[name], picture.looks[name] = "no answer", None
        picture.figures.pop(name, None)
        return
    missing = ", ".join(readiness.json().get("missing", ()))
    picture.ready[name] = "ready" if readiness.status_code == 200 else f"not ready: {missing}"
    before, now = picture.looks.get(name), Look.read(answer.text, at=time.monotonic())
    picture.looks[name] = now
    if before is not None:
        picture.figures[name] = figures_of(before, now)


async def _count_holds(picture: _Picture, state: StackState) -> None:
    """From the orders themselves: what a process has counted since it began is not how many there are."""
    client = connect(state.addresses["mongo"], application="ticketing-status")
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            picture.holds_open = str(await client["orders"]["orders"].count_documents({"status": "created"}))
    except (DatabaseError, TimeoutError):
        picture.holds_open = "no answer"
    finally:
        client.close()


async def _audit(picture: _Picture, addresses: AuditAddresses) -> None:
    try:
        report = await examine(addresses)
        picture.violations = str(len(report.violations))
    except UnreadableError:
        picture.violations = "not readable"


def _drawn(picture: _Picture, state: StackState) -> RenderableType:
    table = Table(box=None, padding=(0, 2), title="Ticketing", title_justify="left")
    table.add_column("")
    table.add_column("state")
    for heading in ("req/s", "5xx/s", "p99", "in flight", "loop lag", "outbox", "oldest", "shed/s"):
        table.add_column(heading, justify="right")
    for name, ready in picture.ready.items():
        shown = Text(ready, "green" if ready == "ready" else "red")
        figures = picture.figures.get(name)
        table.add_row(name, shown, *(_row(figures) if figures else ["…"] * 8))
    known = [look for look in picture.looks.values() if look is not None]
    facts = {
        "consumer lag": f"{max((highest(look, 'consumer_lag') for look in known), default=0):.0f}",
        "dead letters": f"{sum(total(look, 'dead_letters_total') for look in known):.0f}",
        "holds open": picture.holds_open,
        "violations": picture.violations,
    }
    for look in known:
        for circuit, level in circuits(look).items():
            facts[f"circuit {circuit}"] = {0.0: "closed", 0.5: "half open"}.get(level, "open")
    if state.faults:
        facts["broken on purpose"] = ", ".join(state.faults)
    return Group(table, Text("   ".join(f"{name}: {value}" for name, value in facts.items())))


def _row(figures: ServiceFigures) -> list[Text]:
    return [
        Text(f"{figures.requests:.1f}"),
        Text(f"{figures.errors:.1f}", "red" if figures.errors else ""),
        Text(_milliseconds(figures.p99), "red" if (figures.p99 or 0) > SLOW_SECONDS else ""),
        Text(f"{figures.in_flight:.0f}"),
        Text(_milliseconds(figures.loop_lag), "red" if figures.loop_lag > SLOW_SECONDS else ""),
        Text(f"{figures.outbox:.0f}"),
        Text(f"{figures.outbox_oldest:.0f} s", "red" if figures.outbox_oldest > OLD_SECONDS else ""),
        Text(f"{figures.shed:.1f}", "red" if figures.shed else ""),
    ]


def _milliseconds(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return "> 10 s" if seconds == float("inf") else f"{1000 * seconds:.0f} ms"
