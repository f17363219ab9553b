"""Causes the planned faults, and ends them."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ticketing_testkit.servers import ServerProcess, ServerStartError

from .schedule import Fault

START_ATTEMPTS: Final = 5
REPEAT_SECONDS: Final = 0.5
READY_SECONDS: Final = 30.0


class Injector:
    """Kills and freezes the processes of one stack; `counts` is what was done, by kind and target.

    Processes are launched on the main thread: the kernel ends a child when the *thread* that made it ends.
    """

    def __init__(self, processes: Mapping[str, ServerProcess], say: Callable[[str], None]) -> None:
        self._processes = processes
        self._say = say
        self._began = 0.0
        self.counts: Counter[tuple[str, str]] = Counter()
        self.died: list[str] = []
        """Processes that ended although the injector did not kill them: a service must survive the loss of others."""

    async def run(self, faults: Sequence[Fault]) -> None:
        """Run the whole plan; returns once the last process is started again or resumed."""
        self._began = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            for fault in faults:
                group.create_task(self._one(fault))

    async def wait_until_ready(self) -> None:
        """Return when every process is ready.

        Raises `ServerStartError` when one does not, with the end of its log.
        """
        for process in self._processes.values():
            await self._mourn(process)
            # Only the waiting runs in a thread.
            await asyncio.to_thread(process.wait_until_ready, READY_SECONDS)

    async def _one(self, fault: Fault) -> None:
        process = self._processes[fault.target]
        await self._until(fault.at)
        await self._mourn(process)
        self._say(f"{fault.at:6.1f} s  {fault.kind:<5} {fault.target:<14} for {fault.seconds:.1f} s")
        self.counts[fault.kind, fault.target] += 1
        if fault.kind == "pause":
            process.pause()
            try:
                await self._until(fault.over)
            finally:
                process.resume()
        else:
            process.kill()
            await self._until(fault.over)
            await self._launch(process)

    async def _launch(self, process: ServerProcess) -> None:
        """Start the process again; `wait_until_ready` finds one that cannot be started."""
        for _ in range(START_ATTEMPTS):
            try:
                process.launch()
            except ServerStartError as error:
                # Its port is not free yet, or is briefly the local port of another process's connection.
                self._say(str(error))
                await asyncio.sleep(REPEAT_SECONDS)
            else:
                return

    async def _mourn(self, process: ServerProcess) -> None:
        """Note a process that ended by itself, and start it again, so that the rest of the run still says something."""
        if process.exit_code is not None:
            self.died.append(f"{process.name} ended by itself with status {process.exit_code}")
            process.kill()  # it has ended; this forgets it
            await self._launch(process)

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, self._began + at - asyncio.get_running_loop().time()))
