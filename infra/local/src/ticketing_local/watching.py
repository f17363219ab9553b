"""`ticketing status --watch`: the whole product at a glance, again every second."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import httpx
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ticketing_common.events.subjects import DEAD_LETTERS
from ticketing_common.storage import DatabaseClient, connect

from . import bus
from .audit.addresses import AuditAddresses
from .audit.examination import examine
from .audit.unreadable import UnreadableError
from .console import console
from .data_dir import DataDir, StackState
from .figures import Look, ServiceFigures, circuits, figures_of, total, worst
from .services import SERVICES

__all__ = ["Picture", "drawn", "watch_status"]

LOOK_SECONDS: Final = 1.0
LOOKS: Final = 11
"""Rates and p99 are those of the last ten seconds: one second of a quiet shop is no figure."""
ANSWER_SECONDS: Final = 0.8
"""For one service's metrics: one that hangs must not hold up the picture."""
BUS_SECONDS: Final = 2.0
AUDIT_SECONDS: Final = 15.0
LAST_SECONDS: Final = 30.0
"""For an audit that is still at work when a watch of so many rounds ends."""
SLOW_SECONDS: Final = 0.5
OLD_SECONDS: Final = 5.0
WATCHED: Final = (*SERVICES, "worker")
HOLDS: Final = "holds open"
LETTERS: Final = "dead letters"
VIOLATIONS: Final = "violations"
UNKNOWN: Final = "…"
NO_ANSWER: Final = "no answer"


@dataclass
class Picture:
    """What is known so far."""

    looks: dict[str, deque[Look]] = field(default_factory=dict)
    figures: dict[str, ServiceFigures] = field(default_factory=dict)
    ready: dict[str, str] = field(default_factory=lambda: dict.fromkeys(WATCHED, UNKNOWN))
    counts: dict[str, str] = field(default_factory=lambda: dict.fromkeys((LETTERS, HOLDS, VIOLATIONS), UNKNOWN))


def watch_status(data: DataDir, *, rounds: int | None) -> int:
    """Until Ctrl-C, or so many times; 0, or 3 when nothing runs here (any more)."""
    try:
        return asyncio.run(_watch(data, rounds))
    except KeyboardInterrupt:
        return 0


async def _watch(data: DataDir, rounds: int | None) -> int:
    state = data.read_state()
    if state is None or not data.is_running():
        console.print("Nothing is running here.")
        return 3
    picture = Picture()
    database = connect(state.addresses["mongo"], application="ticketing-status")
    counting = [
        asyncio.create_task(_keep_counting(picture, what, ask, seconds))
        for what, ask, seconds in (
            (HOLDS, lambda: _holds_open(database), LOOK_SECONDS),
            (LETTERS, lambda: _dead_letters(state.addresses["nats"]), BUS_SECONDS),
            (VIOLATIONS, lambda: _violations(AuditAddresses.of_stack(state, data)), AUDIT_SECONDS),
        )
    ]
    try:
        async with httpx.AsyncClient(timeout=ANSWER_SECONDS) as http:
            with Live(console=console, auto_refresh=False, transient=False) as live:
                return await _look_on(data, rounds, picture, http, live)
    finally:
        for task in counting:
            task.cancel()
        await asyncio.gather(*counting, return_exceptions=True)
        database.close()


async def _look_on(data: DataDir, rounds: int | None, picture: Picture, http: httpx.AsyncClient, live: Live) -> int:
    while True:
        state = data.read_state()
        if state is None or not data.is_running():
            live.console.print("Nothing is running here any more.")
            return 3
        await asyncio.gather(*(_look(http, picture, name, state.addresses[name]) for name in WATCHED))
        if rounds is not None:
            rounds -= 1
            if rounds == 0:
                await _all_counted(picture)
        live.update(drawn(picture, state), refresh=True)
        if rounds == 0:
            return 0
        await asyncio.sleep(LOOK_SECONDS)


async def _look(http: httpx.AsyncClient, picture: Picture, name: str, address: str) -> None:
    try:
        answer, readiness = await asyncio.gather(http.get(f"{address}/metrics"), http.get(f"{address}/readyz"))
        missing = "" if readiness.status_code == 200 else ", ".join(readiness.json()["missing"])
        look = Look.read(answer.raise_for_status().text, at=time.monotonic())
    except (httpx.HTTPError, ValueError, KeyError):
        picture.ready[name] = NO_ANSWER
        picture.looks.pop(name, None)
        picture.figures.pop(name, None)
        return
    picture.ready[name] = f"not ready: {missing}" if missing else "ready"
    looks = picture.looks.setdefault(name, deque(maxlen=LOOKS))
    looks.append(look)
    if len(looks) > 1:
        picture.figures[name] = figures_of(looks[0], look)


async def _keep_counting(picture: Picture, what: str, ask: Callable[[], Awaitable[int]], seconds: float) -> None:
    """One question at a time, however long it takes, beside the picture; whatever goes wrong, it is asked again."""
    while True:
        begun = time.monotonic()
        asking = asyncio.ensure_future(ask())
        try:
            done, _ = await asyncio.wait({asking}, timeout=None if what == VIOLATIONS else ANSWER_SECONDS)
            if not done:
                picture.counts[what] = NO_ANSWER
                await asyncio.wait({asking})
            picture.counts[what] = str(asking.result())
        except UnreadableError:
            picture.counts[what] = "not readable"
        except Exception:
            picture.counts[what] = NO_ANSWER
        finally:
            asking.cancel()
        await asyncio.sleep(max(0.0, begun + seconds - time.monotonic()))


async def _all_counted(picture: Picture) -> None:
    deadline = time.monotonic() + LAST_SECONDS
    while UNKNOWN in picture.counts.values() and time.monotonic() < deadline:  # noqa: ASYNC110 (three write there)
        await asyncio.sleep(0.05)


async def _holds_open(database: DatabaseClient) -> int:
    """From the orders themselves: what a process has counted since it began is not how many there are."""
    return int(await database["orders"]["orders"].count_documents({"status": "created"}))


async def _dead_letters(url: str) -> int:
    """Those that lie there, likewise."""
    client = await bus.connect(url, name="ticketing-status")
    try:
        return int((await client.jetstream(timeout=1).stream_info(DEAD_LETTERS)).state.messages)
    finally:
        await client.close()


async def _violations(addresses: AuditAddresses) -> int:
    return len((await examine(addresses)).violations)


def drawn(picture: Picture, state: StackState) -> RenderableType:
    """For the terminal: a row per process, and below what is true of all of them."""
    table = Table(box=None, padding=(0, 2), title="Ticketing", title_justify="left")
    table.add_column("")
    table.add_column("state")
    for heading in ("req/s", "5xx/s", "p99 ≤", "in flight", "loop lag", "outbox", "oldest", "shed/s"):
        table.add_column(heading, justify="right")
    for name in WATCHED:
        ready, figures = picture.ready[name], picture.figures.get(name)
        shown = Text(ready, {"ready": "green", UNKNOWN: ""}.get(ready, "red"))
        table.add_row(name, shown, *(_row(figures) if figures else ["-"] * 8))
    facts = [fact for fact in _facts(picture, state) if fact is not None]
    return Group(table, Text("   ").join(facts))


def _facts(picture: Picture, state: StackState) -> list[Text | None]:
    latest = [looks[-1] for looks in picture.looks.values()]
    lag, consumer = max((worst(look, "consumer_lag", "consumer") for look in latest), default=(0.0, ""))
    behind = f"{lag:.0f} ({consumer})" if lag else "0"
    unread = sum(total(look, "outbox_parked") for look in latest)
    levels = {0.0: "closed", 0.5: "half open"}
    return [
        Text(f"consumer lag: {behind}", "yellow" if lag else ""),
        *(
            Text(f"{what}: {count}", "" if count in ("0", UNKNOWN) or (what == HOLDS and count.isdigit()) else "red")
            for what, count in picture.counts.items()
        ),
        Text(f"events refused by the bus: {unread:.0f}", "red") if unread else None,
        *(
            Text(f"circuit {circuit}: {levels.get(level, 'open')}", "red" if level else "")
            for look in latest
            for circuit, level in circuits(look).items()
        ),
        *(Text(f"{name}: {how}", "red") for name, how in state.dead.items()),
        Text(f"broken on purpose: {', '.join(state.faults)}", "yellow") if state.faults else None,
    ]


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
    return "> 30 s" if seconds == float("inf") else f"{1000 * seconds:.0f} ms"
