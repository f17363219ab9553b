"""Supervises a running stack: reports processes that end, restarts none, and stops all on a signal."""

import signal
import threading
from types import FrameType
from typing import Final

import httpx
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ticketing_ops.console import console
from ticketing_ops.data_dir import StackState
from ticketing_testkit.servers import ServerStartError

from .fault_controller import FaultController
from .report import print_addresses
from .seed import DemoAccounts, seed
from .stack import Stack, StackOptions

SAMPLE_SECONDS: Final = 0.25


def supervise(options: StackOptions) -> int:
    """Run a stack until a signal arrives; returns the exit status. The caller holds the data directory's lock."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        # The first signal stops everything in order, and interrupts a start; further signals have no effect.
        interrupts = stack.state.phase == "starting" and not stop.is_set()
        stop.set()
        if interrupts:
            raise KeyboardInterrupt

    stack = Stack(options)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    try:
        accounts = _start(stack)
    except BaseException as error:
        stack.stop()
        return _not_started(stack, error)
    print_addresses(stack.state, accounts)
    reported: set[str] = set()
    controller = FaultController(stack)
    while not stop.wait(SAMPLE_SECONDS):
        controller.poll()
        for process in stack.dead():
            if process.name not in reported:
                reported.add(process.name)
                stack.state.dead[process.name] = f"ended with status {process.exit_code}"
                stack.data.write_state(stack.state)
                console.print(
                    f"[bold red]✗ {process.name} ended with status {process.exit_code}.[/] It is not restarted. "
                    f"Its log ends:\n{escape(process.tail())}\n(full log: {process.log})",
                    soft_wrap=True,
                )
    console.print("Stopping…")
    stack.data.write_state(_with_phase(stack.state, "stopping"))
    stack.stop()
    console.print("Everything has stopped. The data stays in " + str(stack.data.path))
    return 0


def _start(stack: Stack) -> DemoAccounts:
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console) as bar:
        tasks = {"": bar.add_task("starting", total=1)}

        def progress(name: str, what: str) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=1)
            bar.update(tasks[name], description=f"{name:<14} {what}", completed=0 if what.endswith("ing") else 1)
            stack.state.message = f"{name}: {what}"
            stack.data.write_state(stack.state)

        bar.remove_task(tasks.pop(""))
        stack.start(progress)
        progress("demo data", "making")
        accounts = seed(stack.state, stack.data)
        progress("demo data", "there")
    stack.data.write_state(_with_phase(stack.state, "ready"))
    return accounts


def _not_started(stack: Stack, error: BaseException) -> int:
    """Print the reason; an unexpected error is raised again."""
    match error:
        case KeyboardInterrupt():
            stack.data.write_state(_with_phase(stack.state, "failed"))
            console.print("Stopped before it was ready.")
            return 130
        case ServerStartError():
            return _failed(stack, str(error))
        case httpx.HTTPError():
            return _failed(stack, f"A service did not answer as it should: {error}. Logs: {stack.data.logs}")
        case OSError():
            return _failed(stack, f"Starting failed: {error}.")
    raise error


def _with_phase(state: StackState, phase: str) -> StackState:
    state.phase = phase  # type: ignore[assignment]  # one of the literals, by the three callers here
    return state


def _failed(stack: Stack, message: str) -> int:
    stack.state.message = message
    stack.data.write_state(_with_phase(stack.state, "failed"))
    console.print(f"[bold red]✗[/] {escape(message)}", soft_wrap=True)
    return 1
