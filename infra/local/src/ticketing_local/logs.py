"""Shows the log files of the processes."""

import time
from pathlib import Path
from typing import Final

from ticketing_ops.console import console, print_lines

SAMPLE_SECONDS: Final = 0.2


def show_logs(folder: Path, service: str | None, *, follow: bool, lines: int) -> int:
    """Print the last lines of one log or of all, and with `follow` new lines; returns the exit status."""
    files = sorted(folder.glob("*.log")) if service is None else [folder / f"{service}.log"]
    files = [file for file in files if file.is_file()]
    if not files:
        there = ", ".join(sorted(file.stem for file in folder.glob("*.log"))) or "none yet"
        console.print(f"There is no such log. Available: {there}.")
        return 1
    ends: dict[Path, int] = {}
    for file in files:
        text = file.read_text(errors="replace")
        ends[file] = file.stat().st_size
        for line in text.splitlines()[-lines:] if lines else ():
            _print(file, line, named=service is None)
    try:
        while follow:
            for file in files:
                with file.open(errors="replace") as log:
                    log.seek(ends[file])
                    for line in log:
                        _print(file, line.rstrip("\n"), named=service is None)
                    ends[file] = log.tell()
            time.sleep(SAMPLE_SECONDS)
    except KeyboardInterrupt:
        return 0
    return 0


def _print(file: Path, line: str, *, named: bool) -> None:
    print_lines(f"{file.stem:<13} {line}" if named else line)
