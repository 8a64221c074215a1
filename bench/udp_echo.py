"""CPU microseconds of one datagram in and one out through the runtime: socket, driver, and an engine that only echoes.

What the runtime costs beside the engine, under both loops, with one datagram in flight and with 32. The peer is a
process of its own and not counted. Usage: ``python -m bench.udp_echo [datagrams]``.
"""

import asyncio
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import uvloop

from sipguard.ledger.log import AttestationLog
from sipguard.policy.need import Answer, Need, TargetAnswer
from sipguard.proxy.output import Output
from sipguard.runtime.binding import bind
from sipguard.runtime.clock import Clock
from sipguard.runtime.driver import Driver
from sipguard.runtime.faults import Faults
from sipguard.runtime.journal import Journal
from sipguard.runtime.udp import UdpTransport
from sipguard.sip.flow import Flow, Listener, Send

SIZE = 600  # octets, a small INVITE
STOP = b"stop"


class EchoEngine:
    """Sends everything back."""

    def __init__(self) -> None:
        self.stopped = asyncio.Event()

    def receive(self, data: bytes, flow: Flow, now: float, wall: float) -> list[Output]:
        """Echo."""
        if data == STOP:
            self.stopped.set()
        return [Send(flow, data)]

    def complete(self, need: Need, answer: Answer | TargetAnswer, now: float, wall: float) -> list[Output]:
        """Nothing is ever asked."""
        return []

    def lost(self, flow: Flow, now: float, wall: float) -> list[Output]:
        """Nothing is kept."""
        return []

    def tick(self, now: float, wall: float) -> list[Output]:
        """Nothing is timed."""
        return []

    def recover(self, lines: Iterable[bytes], now: float, wall: float) -> list[Output]:
        """Nothing was remembered."""
        return []

    def observe(self, delay: float, now: float) -> None:
        """It never has too much to do."""

    def deadline(self) -> float | None:
        """Never."""
        return None


async def measure(count: int, in_flight: int) -> float:
    """CPU microseconds per echo."""
    loop = asyncio.get_running_loop()
    clock = Clock()
    faults = Faults(clock)
    engine = EchoEngine()
    with tempfile.TemporaryDirectory() as directory, AttestationLog.open(Path(directory), "bench") as log:
        driver = Driver(engine, Journal(log, "bench", clock, faults, loop, worker=False), clock, faults, loop)
        bound = bind("listener", "udp", "127.0.0.1", 0)
        host, port = bound.getsockname()
        transport = UdpTransport(Listener(0, "udp", host, port, host, port), bound, driver, loop, clock)
        driver.transports[0] = transport
        transport.start()
        before = time.process_time()
        command = [sys.executable, "-m", "bench.udp_echo", "peer", str(port), str(count), str(in_flight)]
        peer = subprocess.Popen(command)
        await engine.stopped.wait()
        spent = time.process_time() - before
        peer.wait()
        transport.close()
        return spent / transport.received * 1e6


def play_peer(port: int, count: int, in_flight: int) -> None:
    """Keep so many datagrams in flight until so many came back."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.connect(("127.0.0.1", port))
        peer.settimeout(5)
        data = b"x" * SIZE
        for _ in range(in_flight):
            peer.send(data)
        for _ in range(count):
            peer.recv(2048)
            peer.send(data)
        peer.send(STOP)


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 30_000
    loops: tuple[tuple[str, Callable[[], asyncio.AbstractEventLoop]], ...] = (
        ("asyncio", asyncio.SelectorEventLoop),
        ("uvloop", uvloop.new_event_loop),
    )
    for name, factory in loops:
        for in_flight in (1, 32):
            with asyncio.Runner(loop_factory=factory) as runner:
                spent = runner.run(measure(count, in_flight))
            print(f"{name:8} {in_flight:3} in flight: {spent:5.1f} us CPU per echo")


if __name__ == "__main__":
    if sys.argv[1:2] == ["peer"]:
        play_peer(*map(int, sys.argv[2:5]))
    else:
        main()
