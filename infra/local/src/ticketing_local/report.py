"""Prints the addresses and the state of a stack."""

import json
from dataclasses import asdict

from rich.table import Table

from ticketing_common.topology import SERVICES
from ticketing_ops.console import console
from ticketing_ops.data_dir import StackState
from ticketing_testkit.servers import is_alive

from .seed import DemoAccounts


def print_addresses(state: StackState, accounts: DemoAccounts) -> None:
    """Print all addresses and the demo accounts."""
    table = Table(title="Ticketing is running", title_style="bold green", show_header=False, box=None, padding=(0, 2))
    if "client" in state.addresses:
        table.add_row("[bold]Open this[/]", f"[bold]{state.addresses['client']}[/]")
    for name, service in SERVICES.items():
        path = f"/api/{service.path}/docs" if service.path else "/healthz"
        table.add_row(name, f"{state.addresses[name]}{path}")
    if "inbox" in state.addresses:
        table.add_row("mails", state.addresses["inbox"])
    for name in ("mongo", "nats", "redis", "stripe", "smtp"):
        table.add_row(f"[dim]{name}[/]", f"[dim]{_without_password(state.addresses[name])}[/]")
    console.print(table)
    console.print(f"Demo buyer  {accounts.buyer}  password  {accounts.password}")
    console.print(f"Demo seller {accounts.seller}  password  {accounts.password}")
    console.print(
        "[dim]Ctrl-C or `make down` stops it. A local Stripe double takes the cards: no real money moves.[/]",
        soft_wrap=True,
    )


def print_status_json(state: StackState | None) -> int:
    """Print the state as JSON; returns the same exit status as `print_status`."""
    console.print_json(json.dumps(asdict(state) if state is not None else {"phase": "stopped"}))
    return _exit_status(state)


def _exit_status(state: StackState | None) -> int:
    if state is None:
        return 3
    return 0 if state.phase == "ready" and set(_conditions(state).values()) == {"running"} else 1


def _conditions(state: StackState) -> dict[str, str]:
    """The condition of each process: running, or how it ended. The kernel knows an end before the supervisor does."""
    return {
        name: state.dead.get(name) or ("running" if is_alive(pid) else "gone") for name, pid in state.processes.items()
    }


def print_status(state: StackState | None) -> int:
    """Print each process and its condition; returns 0 when the stack is ready and every process runs."""
    if state is None:
        console.print("Nothing is running here.")
        return _exit_status(state)
    table = Table("process", "pid", "state", box=None, padding=(0, 2))
    conditions = _conditions(state)
    for name, condition in conditions.items():
        table.add_row(
            name, str(state.processes[name]), f"[red]{condition}[/]" if condition != "running" else "[green]running[/]"
        )
    console.print(f"{state.phase}: {state.message}" if state.phase != "ready" else "ready")
    console.print(table)
    if state.faults:
        console.print(f"[yellow]faults that are on:[/] {', '.join(state.faults)} (`ticketing fault off`)")
    return _exit_status(state)


def _without_password(address: str) -> str:
    scheme, separator, rest = address.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
