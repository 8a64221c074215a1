"""A process of the soak's own: told what to do in one line, heard line by line, ended by the end of its input."""

import subprocess
import sys
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

import msgspec

from bench.process import BenchError
from bench.soak import namespace
from scenarios import lifeline


class Child(AbstractContextManager["Child"]):
    """``python -m MODULE``; leaving the context ends it, and it ends with us whatever happens."""

    def __init__(self, module: str, errors: Path, *, apart: bool) -> None:
        """``apart``: in a network namespace of its own. ``errors`` takes what it complains about."""
        self._module = module
        self._errors = errors
        with errors.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output,
                preexec_fn=namespace.begin_apart if apart else lifeline.die_with_parent,
            )  # fmt: skip
        self._last = b""
        self._spoke = threading.Event()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def process_id(self) -> int:
        """The process id."""
        return self._process.pid

    def tell(self, setup: msgspec.Struct) -> None:
        """Its one line. Raises BenchError unless it says something within ten seconds."""
        if self._process.stdin is None:
            raise BenchError(f"{self._module} has no input")
        try:
            self._process.stdin.write(msgspec.json.encode(setup) + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise BenchError(self._obituary()) from None
        if not self._spoke.wait(20.0):
            raise BenchError(self._obituary())

    @property
    def last(self) -> bytes:
        """The last line it said. Raises BenchError when it is gone."""
        if self._process.poll() is not None:
            raise BenchError(self._obituary())
        return self._last

    def finish(self) -> bytes:
        """End its input, and wait for its last line. Raises BenchError when it does not end well."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(20.0)
        except subprocess.TimeoutExpired:
            raise BenchError(f"{self._module} does not end") from None
        self._listener.join(5.0)
        if self._process.returncode:
            raise BenchError(self._obituary())
        return self._last

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, where: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._listener.join(5.0)

    def _listen(self) -> None:
        if self._process.stdout is not None:
            for line in self._process.stdout:
                self._last = line
                self._spoke.set()

    def _obituary(self) -> str:
        said = self._errors.read_text("utf-8", "replace").strip()
        return f"{self._module} (exit code {self._process.poll()}): {said or 'said nothing'}"
