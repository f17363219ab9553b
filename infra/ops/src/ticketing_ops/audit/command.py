"""`ticketing audit`: output for people, programs (`--json`) and monitoring (`--watch`)."""

import asyncio
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer
from rich.markup import escape
from rich.table import Table

from ticketing_common.entity import utc_now
from ticketing_ops.console import console, shown
from ticketing_ops.data_dir import data_dir_of

from .addresses import AuditAddresses, MissingAddressError
from .examination import GRACE_SECONDS, Report, audit
from .invariants import INVARIANTS, Violation
from .unreadable import UnreadableError
from .watching import watch

SHOWN: Final = 20
"""The most violations of one invariant in the text output; `--json` has all."""
CLEAN, BROKEN, UNREADABLE = 0, 1, 2


def audit_command(
    as_json: Annotated[bool, typer.Option("--json", help="For programs: the whole report as one object")] = False,
    watching: Annotated[bool, typer.Option("--watch", help="Audit repeatedly, in place, until Ctrl-C")] = False,
    every: Annotated[float, typer.Option(help="With --watch: seconds between two audits", min=0.1)] = 5.0,
    metrics_port: Annotated[
        int | None, typer.Option(help="With --watch: serve /metrics on this port", min=1, max=65535)
    ] = None,
    grace: Annotated[
        float, typer.Option(help="Seconds that an event may be in transit before it counts", min=0)
    ] = GRACE_SECONDS,
    stripe_all: Annotated[
        bool, typer.Option("--stripe-all", help="Read every PaymentIntent, not only the last day's and unsettled ones")
    ] = False,
    show_list: Annotated[bool, typer.Option("--list", help="Print the invariants and their repairs, and exit")] = False,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="The stack's data directory [.local]")] = None,
) -> None:
    """Report every violated invariant of the five databases, the bus and Stripe.

    Reads the running stack, or what AUTH_MONGO_URL, TICKETS_MONGO_URL, ORDERS_MONGO_URL, PAYMENTS_MONGO_URL,
    EXPIRATION_MONGO_URL, NATS_URL, STRIPE_KEY (and STRIPE_API_BASE) name; writes nothing. Exit 0 when all invariants
    hold, 1 for violations, 2 when a part could not be read. `--list` prints the invariants.
    """
    if show_list:
        _print_list()
        return
    if metrics_port is not None and not watching:
        _fail("--metrics-port goes with --watch.", as_json=as_json)
    addresses = _addresses(data_dir, as_json=as_json)

    async def once() -> Report:
        return await audit(addresses, grace_seconds=grace, stripe_all=stripe_all)

    if watching:
        show = _as_json if as_json else _as_text
        raise typer.Exit(watch(once, show, every_seconds=every, metrics_port=metrics_port, plain=as_json))
    try:
        report = asyncio.run(once())
    except UnreadableError as error:
        _fail(str(error), as_json=as_json)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if as_json:
        sys.stdout.write(_as_json(report) + "\n")
    else:
        console.print(_as_text(report), soft_wrap=True)
    raise typer.Exit(BROKEN if report.violations else CLEAN)


def _addresses(data_dir: Path | None, *, as_json: bool) -> AuditAddresses:
    """The addresses of the environment, else of the running stack."""
    try:
        named = AuditAddresses.of_environment(os.environ)
    except MissingAddressError as error:
        _fail(str(error), as_json=as_json)
    if named is not None:
        return named
    data = data_dir_of(data_dir)
    state = data.running_state()
    if state is None or not {"mongo", "nats", "stripe"} <= state.addresses.keys():
        _fail("Nothing is running here. Start it with `make up`, or name the databases, see --help.", as_json=as_json)
    return AuditAddresses.of_stack(state, data)


def _fail(sentence: str, *, as_json: bool) -> NoReturn:
    """Print why there is no result, and exit with 2."""
    if as_json:
        sys.stdout.write(json.dumps({"error": sentence}) + "\n")
    else:
        console.print(f"[bold red]✗[/] {escape(sentence)}", soft_wrap=True)
    raise typer.Exit(UNREADABLE)


def _print_list() -> None:
    table = Table("invariant", "what must hold", "what repairs it", show_lines=True)
    for invariant in INVARIANTS.values():
        table.add_row(*map(escape, (invariant.name, invariant.meaning, invariant.repair)))
    console.print(table)


def _as_json(report: Report) -> str:
    body: dict[str, Any] = {
        "at": utc_now().isoformat(),
        "seconds": round(report.seconds, 3),
        "read": report.read,
        "violations": [asdict(violation) for violation in report.violations],
    }
    return json.dumps(body)


def _as_text(report: Report) -> str:
    """The report in Rich's markup."""
    read = ", ".join(f"{place} {count}" for place, count in sorted(report.read.items()))
    footer = f"[dim]Read in {report.seconds:.1f} s: {escape(read)}[/]"
    if not report.violations:
        return f"[bold green]✓[/] All {len(INVARIANTS)} invariants hold.\n{footer}"
    by_name: dict[str, list[Violation]] = {}
    for violation in report.violations:
        by_name.setdefault(violation.invariant, []).append(violation)
    lines = []
    for name, violations in by_name.items():
        lines.append(f"[bold red]✗ {name}[/] ({len(violations)}): {escape(INVARIANTS[name].meaning)}")
        for violation in violations[:SHOWN]:
            ids = " ".join(f"{kind}={key}" for kind, key in violation.ids.items())
            lines.append(f"    {shown(ids)}  [yellow]{shown(violation.detail)}[/]")
        if len(violations) > SHOWN:
            lines.append(f"    … and {len(violations) - SHOWN} more; --json names all")
        lines.append(f"    [dim]repair:[/] {escape(violations[0].repair)}")
    count = len(report.violations)
    lines.append(f"{count} violation{'s' if count > 1 else ''} of {len(by_name)} of {len(INVARIANTS)} invariants.")
    return "\n".join([*lines, footer])
