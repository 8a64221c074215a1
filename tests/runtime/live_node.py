"""A real proxy process on loopback: a customer at 127.0.0.1 with one number, a carrier at 127.0.0.2."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from sipguard.ledger.reader import LogReader
from sipguard.ledger.segment import log_directory
from sipguard.registry import Registry
from sipguard.registry.accounts import AccountEntry
from sipguard.registry.numbers import NumberEntry
from sipguard.stir.telephone_number import TN

NUMBER = "+14155550100"
PATIENCE = 20.0  # seconds

TEMPLATE = """
drain_timeout = 5
[node]
name = "edge-1"
[[listener]]
transport = "udp"
bind = "127.0.0.1:{port}"
[[listener]]
transport = "tcp"
bind = "127.0.0.1:{port}"
[admin]
bind = "127.0.0.1:{admin}"
[[trunk]]
name = "acme-pbx"
side = "customer"
account = "acme"
sources = ["127.0.0.1"]
targets = ["sip:127.0.0.1:{customer}"]
[[trunk]]
name = "carrier-a"
side = "network"
sources = ["127.0.0.2"]
targets = ["sip:127.0.0.2:{carrier}{transport}"]
{more}
"""


def free_port() -> int:
    """A port that is free for UDP and TCP on 127.0.0.1."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream:
            stream.bind(("127.0.0.1", 0))
            port: int = stream.getsockname()[1]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram, contextlib.suppress(OSError):
                datagram.bind(("127.0.0.1", port))
                return port


class Neighbour:
    """A SIP neighbour that a test plays by hand."""

    def __init__(self, host: str) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.settimeout(PATIENCE)
        self.host, self.port = self.socket.getsockname()

    def receive(self, start: str) -> str:
        """The next message that starts like this; others are passed over."""
        while True:
            message = self.socket.recv(65_535).decode("latin-1")
            if message.startswith(start):
                return message

    def answer(self, request: str, status: str, proxy: tuple[str, int]) -> None:
        """Answer a request through the proxy."""
        self.socket.sendto(self.answer_text(request, status), proxy)

    def answer_text(self, request: str, status: str) -> bytes:
        """The answer to a request as octets."""
        kept = [row for row in request.split("\r\n\r\n")[0].split("\r\n")[1:] if _kept(row)]
        rows = [f"{row};tag=carrier" if row.lower().startswith("to:") and ";tag=" not in row else row for row in kept]
        text = "\r\n".join((f"SIP/2.0 {status}", *rows, f"Contact: <sip:{self.host}:{self.port}>", "Content-Length: 0"))
        return (text + "\r\n\r\n").encode()


def _kept(row: str) -> bool:
    return row.partition(":")[0].strip().lower() in ("via", "from", "to", "call-id", "cseq", "record-route")


class LiveNode:
    """One ``sipguard run`` process and its neighbours."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port, self.admin = free_port(), free_port()
        self.customer, self.carrier = Neighbour("127.0.0.1"), Neighbour("127.0.0.2")
        self.config = directory / "sipguard.toml"
        self.registry_url = f"sqlite:///{directory / 'var' / 'registry.db'}"
        self.lines: list[dict[str, Any]] = []
        self.raw: list[str] = []
        self.process: subprocess.Popen[str] | None = None
        self._said = threading.Condition()

    @property
    def proxy(self) -> tuple[str, int]:
        """Where the proxy listens."""
        return "127.0.0.1", self.port

    @property
    def log(self) -> LogReader:
        """The attestation log."""
        return LogReader(log_directory(self.directory / "var"))

    def write_configuration(self, more: str = "", transport: str = "") -> None:
        """Write the configuration file, with more at its end, and parameters for the carrier's URI."""
        text = TEMPLATE.format(
            port=self.port,
            admin=self.admin,
            carrier=self.carrier.port,
            customer=self.customer.port,
            transport=transport,
            more=more,
        )
        self.config.write_text(text)

    def fill_registry(self) -> None:
        """An account with a number."""
        (self.directory / "var").mkdir(exist_ok=True)
        registry = Registry(self.registry_url)
        registry.accounts.add(AccountEntry("acme"))
        registry.numbers.add(NumberEntry(TN(NUMBER.removeprefix("+")), "acme"))

    def add_number(self, number: str) -> None:
        """One number more, beside the running process."""
        registry = Registry(self.registry_url)
        registry.numbers.add(NumberEntry(TN(number.removeprefix("+")), "acme"))

    def start(self) -> None:
        """Start the process without waiting."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sipguard", "run", "--config", str(self.config)],
            stderr=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._listen, args=(self.process,), daemon=True).start()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            with self._said:
                self.raw.append(line)
                with contextlib.suppress(ValueError):
                    self.lines.append(json.loads(line))
                self._said.notify_all()

    def wait_for(self, event: str, count: int = 1) -> dict[str, Any]:
        """The count-th line of this event."""

        def found() -> list[dict[str, Any]]:
            return [line for line in self.lines if line["event"] == event]

        with self._said:
            assert self._said.wait_for(lambda: len(found()) >= count, PATIENCE), self.raw
            return found()[count - 1]

    def signal(self, number: int) -> None:
        """Send a signal to the process."""
        assert self.process is not None
        os.kill(self.process.pid, number)

    def end(self) -> int:
        """Wait for the end; the exit code."""
        assert self.process is not None
        return self.process.wait(PATIENCE)

    def invite(self, call_id: str, calling: str = NUMBER) -> bytes:
        """The customer calls; what was sent."""
        return self.call(self.customer, call_id, calling, "+14155550199")

    def arrive(self, call_id: str, *rows: str) -> bytes:
        """A call to the customer's number arrives from the carrier, with more header rows; what was sent."""
        return self.call(self.carrier, call_id, "+12125550123", NUMBER, *rows)

    def call(self, caller: Neighbour, call_id: str, calling: str, called: str, *more: str) -> bytes:
        rows = (
            f"INVITE sip:{called}@127.0.0.1:{self.port} SIP/2.0",
            f"Via: SIP/2.0/UDP {caller.host}:{caller.port};branch=z9hG4bK{call_id};rport",
            f"From: <sip:{calling}@{caller.host}>;tag=1",
            f"To: <sip:{called}@127.0.0.1:{self.port}>",
            f"Call-ID: {call_id}",
            "CSeq: 1 INVITE",
            "Max-Forwards: 70",
            f"Contact: <sip:{caller.host}:{caller.port}>",
            *more,
            "Content-Length: 0",
        )
        request = ("\r\n".join(rows) + "\r\n\r\n").encode()
        caller.socket.sendto(request, self.proxy)
        return request

    def health(self) -> httpx.Response:
        """The answer of /healthz."""
        return httpx.get(f"http://127.0.0.1:{self.admin}/healthz", timeout=PATIENCE)

    def metric(self, name: str) -> float:
        """The sum of the samples whose name, with labels, starts like this."""
        text = httpx.get(f"http://127.0.0.1:{self.admin}/metrics", timeout=PATIENCE).text
        return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name))

    def until(self, condition: Callable[[], object]) -> None:
        """Poll a condition of another process, bounded in time."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, self.raw
            time.sleep(0.01)

    def close(self) -> None:
        """Leave no process behind, and see that it never printed a traceback."""
        if self.process is not None:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGKILL)
            self.process.wait(PATIENCE)
        for neighbour in (self.customer, self.carrier):
            neighbour.socket.close()
        assert not [line for line in self.raw if "Traceback" in line or line.startswith("  File")]
        assert not [line for line in self.lines if line["event"] in ("bug", "engine.failed")]


@contextlib.contextmanager
def live_node(directory: Path, more: str = "", transport: str = "") -> Iterator[LiveNode]:
    """A running node with one customer number; gone at the end."""
    node = LiveNode(directory)
    node.write_configuration(more, transport)
    node.fill_registry()
    try:
        node.start()
        node.wait_for("ready")
        yield node
    finally:
        node.close()
