"""`ticketing fault`: requests to the supervisor, which alone may stop and start the processes of its stack."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final, Literal

import httpx
import typer
from rich.table import Table

from ticketing_ops.console import console, fail
from ticketing_ops.data_dir import DataDir, DataDirOption, StackState, data_dir_of
from ticketing_testkit.servers import ServerStartError

from .faults import FAULTS, FaultError
from .stack import Stack

REQUEST: Final = "fault.json"
ANSWER_SECONDS: Final = 30.0

Action = Literal["on", "off"]


class FaultController:
    """The supervisor's side: polls for a request and executes it."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._request = stack.data.path / REQUEST
        self._request.unlink(missing_ok=True)

    def poll(self) -> None:
        """Execute the request, if there is one, and write the result into the state."""
        try:
            request: dict[str, Any] = json.loads(self._request.read_text())
        except (FileNotFoundError, ValueError):
            return
        state = self._stack.state
        if request["id"] == state.fault_answer.get("id"):
            return
        error = ""
        for name in request["names"]:
            try:
                self._switch(name, request["action"])
            except (FaultError, ServerStartError, OSError, httpx.HTTPError) as problem:
                error = f"{name}: {problem}"
        state.processes.update({name: process.pid or 0 for name, process in self._stack.processes.items()})
        state.fault_answer = {"id": request["id"], "error": error}
        self._stack.data.write_state(state)

    def _switch(self, name: str, action: Action) -> None:
        fault, active = FAULTS[name], self._stack.state.faults
        if action == "on" and name not in active:
            fault.on(self._stack)
            if fault.off is not None:
                active.append(name)
        elif action == "off" and name in active:
            if fault.off is not None:
                fault.off(self._stack)
            active.remove(name)


fault_app = typer.Typer(no_args_is_help=True, help="Inject faults into the running stack, and remove them.")


@fault_app.command("list")
def list_faults(data_dir: DataDirOption = None) -> None:
    """List the faults, their expected effects, and which are on."""
    state = data_dir_of(data_dir).running_state()
    table = Table("fault", "", "what it does", "what to expect", box=None, padding=(0, 2))
    for name, fault in FAULTS.items():
        on = state is not None and name in state.faults
        table.add_row(name, "[red]on[/]" if on else "", fault.what, f"[dim]{fault.expect}[/]")
    console.print(table)


@fault_app.command("on")
def turn_on(
    names: Annotated[list[str], typer.Argument(help="one or more of `ticketing fault list`")],
    data_dir: DataDirOption = None,
) -> None:
    """Turn faults on; they stay on until `fault off` or until the stack stops."""
    _request(data_dir_of(data_dir), "on", names)
    for name in names:
        console.print(f"[bold]{name}[/]: {FAULTS[name].what}. Expect: {FAULTS[name].expect}.", soft_wrap=True)


@fault_app.command("off")
def turn_off(
    names: Annotated[list[str] | None, typer.Argument(help="all faults that are on by default")] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Turn faults off."""
    data = data_dir_of(data_dir)
    state = ready_state(data)
    removed = names or list(state.faults)
    _request(data, "off", removed)
    console.print(f"Off: {', '.join(removed)}." if removed else "No fault is on.")


def ready_state(data: DataDir) -> StackState:
    """The state of the stack that runs here; ends the command with an error if none is ready."""
    state = data.running_state()
    if state is None or state.phase != "ready":
        fail("Nothing is running here. Start it with `make up`.")
    return state


def _request(data: DataDir, action: Action, names: list[str]) -> None:
    """Write a request and wait until the supervisor has executed it, so that the next command meets the fault."""
    unknown = [name for name in names if name not in FAULTS]
    if unknown:
        fail(f"There is no fault called {unknown[0]}; `ticketing fault list` shows all of them.")
    ready_state(data)
    with _alone(data):
        request_id = f"{os.getpid()}-{time.monotonic_ns()}"
        temporary = data.path / f"{REQUEST}.{os.getpid()}"
        temporary.write_text(json.dumps({"id": request_id, "action": action, "names": names}))
        os.replace(temporary, data.path / REQUEST)
        deadline = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < deadline:
            state = data.read_state()
            if state is not None and state.fault_answer.get("id") == request_id:
                if state.fault_answer["error"]:
                    fail(state.fault_answer["error"])
                return
            time.sleep(0.05)
    fail("The supervisor does not answer.")


@contextmanager
def _alone(data: DataDir) -> Iterator[None]:
    """Allow one request at a time."""
    with (data.path / f"{REQUEST}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
