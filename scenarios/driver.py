"""Plays SIPp call flows through pysipp: agents that are started, watched and always ended.

A ``Stage`` is a context: every agent started on it is gone when the context is left, whatever happened. Servers run
until then; a call runs to its end and gives a ``Played`` (exit code and traced messages). All waits are bounded.
SIPp identifies nobody: trunks are told apart by source address, so every agent has an address of 127/8 of its own.
"""

import itertools
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from scenarios import pysipp_adapter, trace
from scenarios.trace import Traced

FLOWS = Path(__file__).resolve().parent
_FOREVER = 1_000_000


class AgentError(RuntimeError):
    """An agent could not be started or ended."""


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a call: SIPp's exit code (0: the flow went as its file says) and what the caller saw."""

    exit_code: int
    call_id: str
    messages: tuple[Traced, ...]
    errors: str

    @property
    def final(self) -> Traced | None:
        """The first final response to the INVITE."""
        finals = (m for m in self.messages if not m.sent and m.method == "INVITE" and (m.code or 0) >= 200)
        return next(finals, None)

    @property
    def code(self) -> int | None:
        """The code of the final response; None when there was none."""
        return self.final.code if self.final else None


class Agent:
    """One SIPp process, started by pysipp."""

    def __init__(self, user_agent: Any, address: tuple[str, int], trace_file: Path, error_file: Path) -> None:
        """``user_agent`` is pysipp's; the process starts at once."""
        self.address = address
        self._trace_file = trace_file
        self._error_file = error_file
        self._runner = pysipp_adapter.new_runner()
        self._ended: Callable[..., Any] = user_agent(block=False, runner=self._runner)
        (self._process,) = self._runner._procs.values()

    @property
    def uri(self) -> str:
        """Where this agent is reached."""
        host, port = self.address
        return f"sip:[{host}]:{port}" if ":" in host else f"sip:{host}:{port}"

    @property
    def messages(self) -> tuple[Traced, ...]:
        """Everything it has sent and received so far."""
        return tuple(trace.read(self._trace_file))

    @property
    def errors(self) -> str:
        """SIPp's own complaints so far."""
        return self._error_file.read_text("latin-1") if self._error_file.exists() else ""

    @property
    def process_id(self) -> int:
        """The process id."""
        return int(self._process.pid)

    @property
    def running(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def received(self, method: str, call_id: str) -> Traced | None:
        """The first request of this method that arrived in a call."""
        arrived = (m for m in self.messages if not m.sent and m.code is None)
        return next((m for m in arrived if m.method == method and m.call_id == call_id), None)

    def wait(self, timeout: float) -> int:
        """Wait for the end of the scenario and return the exit code; -9 when ``timeout`` seconds were not enough."""
        deadline = time.monotonic() + timeout
        while self.running and time.monotonic() < deadline:
            time.sleep(0.01)
        if self.running:
            self._process.kill()
        return self.end()

    def end(self) -> int:
        """End the process, first kindly, and collect it. Returns its exit code (negative: the signal that ended it)."""
        if self.running:
            self._runner.terminate()
            self._settle(2.0)
        if self.running:
            self._process.kill()
        self._settle(5.0)
        if self.running:
            raise AgentError(f"SIPp process {self.process_id} does not end")
        return int(self._process.returncode)

    def _settle(self, seconds: float) -> None:
        self._runner._waiter.join(seconds)  # pysipp's collector: it reads what is left and reaps the process


class Stage(AbstractContextManager["Stage"]):
    """Where agents play. ``directory`` takes their traces and logs."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._pysipp = pysipp_adapter.load()
        self._agents: list[Agent] = []
        self._numbers = itertools.count(1)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, where: TracebackType | None
    ) -> None:
        for agent in self._agents:
            agent.end()

    def server(
        self, flow: str, host: str = "127.0.0.1", *, port: int = 0, transport: str = "udp", hold: int = 0
    ) -> Agent:
        """Start an agent that takes calls until the stage is left. ``hold``: milliseconds of its pauses."""
        return self._start(
            self._pysipp.server, flow, (host, port), transport,
            call_count=_FOREVER, limit=5000, rate=1, pause_duration=hold, recv_timeout=20_000,
        )  # fmt: skip

    def client(
        self,
        flow: str,
        host: str,
        to: tuple[str, int],
        keys: Mapping[str, str],
        *,
        port: int = 0,
        transport: str = "udp",
        hold: int = 0,
        calls: int = 1,
        rate: int = 50,
        limit: int = 1,
        injection: Path | None = None,
        **more: str,
    ) -> Agent:
        """Start an agent that makes ``calls`` calls to the address ``to`` and then ends.

        ``more`` are pysipp's: ``auth_username``, ``auth_password`` and ``auth_uri`` answer a challenge.
        """
        options: dict[str, Any] = dict(more) if injection is None else more | {"info_file": str(injection)}
        return self._start(
            self._pysipp.client, flow, (host, port), transport,
            remote_host=to[0], remote_port=to[1], key_vals=dict(keys), call_count=calls, rate=rate, limit=limit,
            pause_duration=hold, recv_timeout=10_000, cid_str=f"{next(self._numbers)}-%u-%p@{host}", **options,
        )  # fmt: skip

    def call(
        self, flow: str, host: str, to: tuple[str, int], keys: Mapping[str, str], timeout: float = 15.0, **options: Any
    ) -> Played:
        """Make one call and wait for its end, at most ``timeout`` seconds. Options as for ``client``."""
        agent = self.client(flow, host, to, keys, **options)
        exit_code = agent.wait(timeout)
        messages = agent.messages
        return Played(exit_code, messages[0].call_id if messages else "", messages, agent.errors)

    def _start(self, factory: Any, flow: str, address: tuple[str, int], transport: str, **options: Any) -> Agent:
        host, port = address[0], address[1] or free_port(address[0], transport)
        prefix = self.directory / f"{next(self._numbers):03d}-{flow}-{host.replace(':', '_')}"
        trace_file, error_file = Path(f"{prefix}.messages"), Path(f"{prefix}.errors")
        user_agent = factory(
            scen_file=str(FLOWS / f"{flow}.xml"),
            local_host=host, local_port=port, bind_local=host, media_addr=host,
            transport="u1" if transport == "udp" else "t1",
            trace_message=True, message_file=str(trace_file), trace_error=True, error_file=str(error_file),
            log_file=f"{prefix}.log", screen_file=f"{prefix}.screen", **options,
        )  # fmt: skip
        agent = Agent(user_agent, (host, port), trace_file, error_file)
        self._agents.append(agent)
        return agent


def free_port(host: str, transport: str = "udp") -> int:
    """A port that is free now on this address."""
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
