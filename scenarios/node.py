"""A sipguard node as an operator runs it: a configuration file, a registry filled by the command line, one process.

Used by the demo and the bench. It knows sipguard by its commands and its files only.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

from scenarios import lifeline
from scenarios.driver import free_port

COMMAND = Path(sys.executable).with_name("sipguard")


class NodeError(RuntimeError):
    """A command failed, or the proxy did not come up or go down as it should."""


class Node(AbstractContextManager["Node"]):
    """One node in one directory. Leaving the context stops the proxy, gracefully first."""

    def __init__(self, directory: Path, host: str = "127.0.0.1") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.address = (host, free_port(host))
        self.admin = f"{host}:{free_port(host, 'tcp')}"
        self.configuration = directory / "sipguard.toml"
        self.log = directory / "sipguard.log"
        self.registry = directory / "var" / "registry.db"
        self.registry.parent.mkdir(exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None

    def configure(self, sections: str) -> None:
        """Write the configuration: this node's listener and admin address, and the given sections."""
        host, port = self.address
        own = f"""[node]
name = "edge-1"
state = "var"

[[listener]]
transport = "udp"
bind = "{host}:{port}"

[admin]
bind = "{self.admin}"
"""
        self.configuration.write_text(own + "\n" + sections)

    def command(self, *words: str) -> str:
        """Run ``sipguard WORDS --config ...`` and return what it printed. Raises NodeError when it fails."""
        done = subprocess.run(
            [str(COMMAND), *words, "--config", str(self.configuration)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise NodeError(f"sipguard {' '.join(words)} ended with {done.returncode}: {done.stderr or done.stdout}")
        return done.stdout

    def load(self, noun: str, header: str, rows: Sequence[str]) -> None:
        """Import a CSV file of accounts, numbers, emergency registrations or list entries."""
        file = self.directory / f"{noun}.csv"
        file.write_text("\n".join((header, *rows)) + "\n")
        self.command(noun, "import", str(file))

    def start(self, seconds: float = 20.0) -> None:
        """Start ``sipguard run`` and wait until it says it is healthy. Raises NodeError."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(COMMAND), "run", "--config", str(self.configuration)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                preexec_fn=lifeline.die_with_parent,
            )  # fmt: skip
        deadline = time.monotonic() + seconds
        while not self.healthy():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise NodeError(f"sipguard did not come up:\n{self.log.read_text('utf-8', 'replace')[-2000:]}")
            time.sleep(0.02)

    @property
    def process_id(self) -> int:
        """The proxy's process id. Raises NodeError when it is not running."""
        if self._process is None:
            raise NodeError("the proxy was not started")
        return self._process.pid

    def healthy(self) -> bool:
        """Whether ``/healthz`` answers 200."""
        try:
            with urllib.request.urlopen(f"http://{self.admin}/healthz", timeout=1.0) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def records(self) -> Iterator[Mapping[str, Any]]:
        """The attestation log so far, record by record."""
        for line in self.command("log", "tail", "-n", "100000", "--json").splitlines():
            yield json.loads(line)

    def log_events(self) -> list[dict[str, Any]]:
        """The proxy's structured log so far."""
        lines = self.log.read_text("utf-8", "replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def stop(self, seconds: float = 15.0) -> int:
        """SIGTERM and wait; SIGKILL past ``seconds``. Returns the exit code."""
        process = self._process
        if process is None:
            return 0
        process.terminate()
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return process.wait()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()
