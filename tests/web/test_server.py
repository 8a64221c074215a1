"""The admin server inside a loop that is not its own."""

import asyncio
import signal
from pathlib import Path

import pytest

from sipguard.runtime.binding import bind
from sipguard.web.server import AdminServer
from tests.runtime.kit import LOOPS, LoopFactory, run
from tests.runtime.sample_vitals import sample_vitals


@pytest.mark.parametrize("loop", LOOPS)
def test_it_serves_in_the_proxys_loop_and_leaves_signals_alone(tmp_path: Path, loop: LoopFactory) -> None:
    """A request is answered; SIGINT and SIGTERM have the handlers they had; the port is free afterwards."""

    async def main() -> None:
        before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
        bound = bind("admin listener", "tcp", "127.0.0.1", 0)
        host, port = bound.getsockname()
        server = AdminServer(sample_vitals)
        await server.start(bound)
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"uvicorn" not in answer
        writer.close()
        await server.stop()
        bind("admin listener", "tcp", host, port).close()

    run(main(), loop)
