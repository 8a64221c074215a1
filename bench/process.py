"""A program under measurement: started in its own session, its CPU time read from ``/proc``, ended whatever happens.

CPU time is user plus system of the process and all its descendants, in clock ticks (10 ms): take differences over
seconds of load, not over single calls. Ended children are counted in their parent's cumulated times.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType

from scenarios import lifeline

_TICK = os.sysconf("SC_CLK_TCK")


class BenchError(RuntimeError):
    """The measurement cannot be made, or is not to be trusted."""


class Program(AbstractContextManager["Program"]):
    """A running program; leaving the context ends it and everything it started."""

    def __init__(self, command: Sequence[str], log: Path, *, grace: float = 5.0) -> None:
        """``log`` takes both output channels; ``grace`` is how many seconds it has to end after SIGTERM."""
        self._name = command[0]
        self._log = log
        self._grace = grace
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=lifeline.die_with_parent,
            )

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, where: TracebackType | None
    ) -> None:
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(self._grace)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    @property
    def process_id(self) -> int:
        """The process id."""
        return self._process.pid

    def until(self, ready: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait until ``ready`` says so. Raises BenchError when the program ends first or takes too long."""
        deadline = time.monotonic() + seconds
        while not ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = self._log.read_text("utf-8", "replace")
                raise BenchError(f"{self._name} did not come up:\n{said}")
            time.sleep(0.02)

    def cpu_seconds(self) -> float:
        """CPU time so far, of the program and everything below it."""
        return sum(_cpu_ticks(process) for process in _tree(self._process.pid)) / _TICK


def _stat(process: int) -> list[str]:
    text = Path(f"/proc/{process}/stat").read_text()
    return text[text.rindex(")") + 2 :].split()  # the name before it may hold anything


def _cpu_ticks(process: int) -> int:
    fields = _stat(process)
    return sum(int(ticks) for ticks in fields[11:15])  # utime, stime, cutime, cstime


def _tree(root: int) -> Iterator[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isascii() and entry.name.isdigit():
            try:
                children.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                continue
    pending = [root]
    while pending:
        process = pending.pop()
        yield process
        pending += children.get(process, [])
