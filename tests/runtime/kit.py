"""What runtime tests share: an engine that does what it is told, a node around it, and loops of both kinds."""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from sipguard.ledger.log import AttestationLog
from sipguard.policy.need import Answer, Need, TargetAnswer
from sipguard.proxy.output import Output
from sipguard.runtime.clock import Clock
from sipguard.runtime.driver import Driver
from sipguard.runtime.faults import Faults
from sipguard.runtime.journal import Journal
from sipguard.sip.flow import Flow, Listener

TIME_LIMIT = 20.0  # seconds for the whole of one test's loop

LOOPS: list[Any] = [
    pytest.param(asyncio.SelectorEventLoop, id="asyncio"),
    pytest.param(uvloop.new_event_loop, id="uvloop"),
]

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def run(main: Coroutine[Any, Any, None], loop: LoopFactory = asyncio.SelectorEventLoop) -> None:
    """Run a test in a loop, bounded in time."""
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(asyncio.wait_for(main, TIME_LIMIT))


class ScriptedEngine:
    """Notes what comes through its doors; ``on_*`` say what goes out."""

    def __init__(self) -> None:
        self.received: list[tuple[bytes, Flow]] = []
        self.completed: list[tuple[Need, Answer | TargetAnswer]] = []
        self.lost_flows: list[Flow] = []
        self.ticks = 0
        self.delays: list[float] = []
        self.due: float | None = None
        self.on_receive: Callable[[bytes, Flow], list[Output]] = lambda data, flow: []
        self.on_complete: Callable[[Need, Answer | TargetAnswer], list[Output]] = lambda need, answer: []
        self.on_tick: Callable[[], list[Output]] = list
        self._changed = asyncio.Event()

    def receive(self, data: bytes, flow: Flow, now: float, wall: float) -> list[Output]:
        self.received.append((data, flow))
        self._changed.set()
        return self.on_receive(data, flow)

    def complete(self, need: Need, answer: Answer | TargetAnswer, now: float, wall: float) -> list[Output]:
        self.completed.append((need, answer))
        self._changed.set()
        return self.on_complete(need, answer)

    def lost(self, flow: Flow, now: float, wall: float) -> list[Output]:
        self.lost_flows.append(flow)
        self._changed.set()
        return []

    def tick(self, now: float, wall: float) -> list[Output]:
        self.ticks += 1
        self.due = None
        self._changed.set()
        return self.on_tick()

    def recover(self, lines: Iterable[bytes], now: float, wall: float) -> list[Output]:
        """Nothing was remembered."""
        return []

    def observe(self, delay: float, now: float) -> None:
        self.delays.append(delay)

    def deadline(self) -> float | None:
        return self.due

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something that came through a door makes the condition true."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()


class Rig:
    """A scripted engine with a real driver, journal and attestation log; make it inside a loop."""

    def __init__(self, directory: Path, *, worker: bool = False, clock: Clock | None = None) -> None:
        loop = asyncio.get_running_loop()
        self.clock = clock or Clock()
        self.faults = Faults(self.clock)
        self.engine = ScriptedEngine()
        self.log = AttestationLog.open(directory / "attestation", "edge-1", "disk" if worker else "process")
        self.journal = Journal(self.log, "edge-1", self.clock, self.faults, loop, worker=worker)
        self.driver = Driver(self.engine, self.journal, self.clock, self.faults, loop)

    async def close(self) -> None:
        """Stop the timer and close the log."""
        self.driver.close()
        await self.journal.close()


def listener(bound: socket.socket, transport: str, number: int = 0) -> Listener:
    """The listener value for a bound socket."""
    host, port = bound.getsockname()[:2]
    return Listener(number, transport, host, port, f"[{host}]" if ":" in host else host, port)


def udp_peer(family: socket.AddressFamily = socket.AF_INET) -> socket.socket:
    """A blocking datagram socket on loopback, bounded in time."""
    peer = socket.socket(family, socket.SOCK_DGRAM)
    peer.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
    peer.settimeout(5)
    return peer
