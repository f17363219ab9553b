"""The `ticketing` command."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Final

import httpx
import typer
from rich.markup import escape

from ticketing_ops.cli import add_commands, play_against
from ticketing_ops.console import console, fail, print_lines
from ticketing_ops.data_dir import AlreadyRunningError, DataDir, DataDirOption, data_dir_of
from ticketing_testkit.servers import ServerStartError, is_alive

from .fault_controller import fault_app, ready_state
from .logs import show_logs
from .mails import mail_app
from .report import print_addresses, print_status, print_status_json
from .seed import DemoAccounts
from .seed import seed as make_demo_data
from .stack import Stack, StackOptions
from .supervisor import supervise

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The whole marketplace on one machine.")

app.add_typer(fault_app, name="fault")
app.add_typer(mail_app, name="mail")
add_commands(app)

SHORT_WINDOW_SECONDS: Final = 15
DEMO_WINDOW_SECONDS: Final = 4
STOP_SECONDS: Final = 40
EXIT_SECONDS: Final = 3


@app.command()
def up(
    data_dir: DataDirOption = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Run in the background")] = False,
    port: Annotated[int | None, typer.Option(help="The client's port [3000, or a free one]", min=1, max=65535)] = None,
    client: Annotated[bool, typer.Option(help="--no-client starts the APIs only and needs no Node.js")] = True,
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete all data first")] = False,
) -> None:
    """Start everything; Ctrl-C stops it."""
    data = data_dir_of(data_dir)
    if sys.platform == "win32":
        fail("Windows is not supported; run it inside WSL 2.")
    if data.is_running():
        state = data.read_state()
        where = f" at {state.addresses['client']}" if state and "client" in state.addresses else ""
        fail(f"It is already running{where}. `ticketing status` shows more, `ticketing down` stops it.")
    try:
        if fresh:
            data.wipe()
        if detach:
            raise typer.Exit(_detach(data, port=port, client=client))
        with data.locked():
            status = supervise(StackOptions(data.path, port=port, client=client))
    except AlreadyRunningError:
        fail("It is already running: another `ticketing up` started first.")
    except ServerStartError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{data.path} cannot be used: {error.strerror}. Choose another --data-dir.")
    raise typer.Exit(status)


def _detach(data: DataDir, *, port: int | None, client: bool) -> int:
    """Start a supervisor in a session of its own, and wait until it is ready or failed; Ctrl-C ends it too."""
    data.create()
    log = (data.logs / "supervisor.log").open("w")
    arguments = ["--data-dir", str(data.path), "--client" if client else "--no-client"]
    if port is not None:
        arguments += ["--port", str(port)]
    with log:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "ticketing_local", "up", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        with console.status("starting") as shown:
            while supervisor.poll() is None:
                state = data.read_state()
                if state is not None and state.supervisor_pid == supervisor.pid:
                    shown.update(escape(state.message))
                    if state.phase == "ready":
                        print_addresses(state, DemoAccounts())
                        return 0
                time.sleep(0.1)
    except KeyboardInterrupt:
        supervisor.terminate()
        supervisor.wait()
        raise
    print_lines((data.logs / "supervisor.log").read_text().rstrip())
    return supervisor.returncode or 1


@app.command()
def down(data_dir: DataDirOption = None) -> None:
    """Stop all processes; the data stays."""
    data = data_dir_of(data_dir)
    state = data.running_state()
    if state is None:
        console.print("Nothing is running here.")
        return
    os.kill(state.supervisor_pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    with console.status("stopping"):
        while data.is_running():
            if time.monotonic() > deadline:
                fail(f"The supervisor (process {state.supervisor_pid}) does not stop; its log is in {data.logs}.")
            time.sleep(0.05)
    # The supervisor has released the lock and ends soon after. The wait is short: a zombie that is never reaped
    # looks alive.
    deadline = min(deadline, time.monotonic() + EXIT_SECONDS)
    while is_alive(state.supervisor_pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    console.print("Everything has stopped.")


@app.command()
def status(
    data_dir: DataDirOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print addresses and processes as JSON")] = False,
) -> None:
    """Show each process; exit 0 when all of them run, 1 when something died, 3 when nothing runs."""
    show = print_status_json if as_json else print_status
    raise typer.Exit(show(data_dir_of(data_dir).running_state()))


@app.command()
def logs(
    service: Annotated[str | None, typer.Argument(help="auth, tickets, …, mongod; all when left out")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Continue with new lines")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0)] = 40,
    data_dir: DataDirOption = None,
) -> None:
    """Show the last lines of the logs."""
    data = data_dir_of(data_dir)
    raise typer.Exit(show_logs(data.logs, service, follow=follow, lines=lines))


@app.command()
def seed(data_dir: DataDirOption = None) -> None:
    """Create the demo accounts and listings that are missing."""
    data = data_dir_of(data_dir)
    state = ready_state(data)
    data.seeded.unlink(missing_ok=True)
    try:
        accounts = make_demo_data(state, data)
    except httpx.HTTPError as error:
        fail(f"The demo data could not be created: {error}")
    console.print(f"Ready: {accounts.seller} sells, {accounts.buyer} buys, password {accounts.password}")


@app.command()
def demo(
    data_dir: DataDirOption = None,
    base_url: Annotated[str | None, typer.Option(help="Play against this address instead")] = None,
    window: Annotated[int, typer.Option(help="Seconds a hold lasts there, with --base-url", min=1)] = 900,
) -> None:
    """Play the demo over HTTP: sold once, refused twice, free again. Exit 1 if any step differs.

    The demo uses the running stack if its holds last 15 s or less. Otherwise it starts one of its own, without a
    client and with holds of a few seconds, and removes it afterwards.
    """
    state = data_dir_of(data_dir).running_state()
    if base_url is not None:
        play_against({"client": base_url.rstrip("/")}, window)
    elif state and state.reservation_window_seconds <= SHORT_WINDOW_SECONDS:
        console.print(f"Playing on the running stack, where a hold lasts {state.reservation_window_seconds} s.")
        play_against(state.addresses, state.reservation_window_seconds)
    else:
        try:
            _demo_on_own_stack()
        except (ServerStartError, OSError) as error:
            fail(str(error))


def _demo_on_own_stack() -> None:
    with tempfile.TemporaryDirectory(prefix="ticketing-demo-") as folder:
        options = StackOptions(Path(folder), client=False, reservation_window_seconds=DEMO_WINDOW_SECONDS)
        stack = Stack(options)
        with stack.data.locked():
            signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
            console.print(f"Playing on a stack of its own, where a hold lasts {DEMO_WINDOW_SECONDS} s.")
            with console.status("starting it"):
                stack.start(lambda _name, _what: None)
            try:
                play_against(stack.state.addresses, stack.state.reservation_window_seconds)
            finally:
                stack.stop()


def main() -> None:
    """Entry point of the console script."""
    # Calls to this machine must not go through a proxy, neither from this process nor from its children.
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), "localhost,127.0.0.1")))
    app()
