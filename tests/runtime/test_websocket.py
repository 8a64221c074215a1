"""WebSocket listeners on loopback, under both loops, with a client that is not ours."""

import asyncio
import gc
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect

from sipguard.proxy.output import Close, Output
from sipguard.runtime.binding import bind
from sipguard.runtime.clock import Clock
from sipguard.runtime.stream import StreamLimits
from sipguard.runtime.websocket import WebSocketConnection, WebSocketTransport
from sipguard.sip.flow import Flow, Send
from sipguard.testing.tls_ca import TlsCa, write
from tests.runtime.kit import LOOPS, LoopFactory, Rig, listener, run
from tests.runtime.test_stream import HandClock

pytestmark = pytest.mark.parametrize("loop", LOOPS)

ORIGIN = "https://phone.example.com"
SIP = websockets.Subprotocol("sip")
OPTIONS = (
    "OPTIONS sip:edge.example.com SIP/2.0\r\nVia: SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bK1\r\n"
    "From: <sip:a@b>;tag=1\r\nTo: <sip:b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n\r\n"
)


class Context:
    """The TLS side of a wss listener."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context

    def accepting(self) -> ssl.SSLContext:
        return self._context

    def opening(self, names: tuple[str, ...]) -> ssl.SSLContext | None:
        return None


class Site:
    """A WebSocket listener around a scripted engine."""

    def __init__(self, rig: Rig, limits: StreamLimits, clock: Clock, tls: Context | None) -> None:
        self.rig = rig
        self.engine = rig.engine
        self.bound = bind("listener", "ws", "127.0.0.1", 0)
        self.address: tuple[str, int] = self.bound.getsockname()
        self._scheme = "ws" if tls is None else "wss"
        here = listener(self.bound, self._scheme)
        loop = asyncio.get_running_loop()
        origins = frozenset((ORIGIN,))
        self.transport = WebSocketTransport(here, self.bound, rig.driver, loop, clock, limits, origins, tls)
        rig.driver.transports[0] = self.transport

    def connect(self, context: ssl.SSLContext | None = None, **more: object) -> connect:
        """A client's connection."""
        url = f"{self._scheme}://127.0.0.1:{self.address[1]}/sip"
        return connect(url, subprotocols=[SIP], ssl=context, proxy=None, **more)  # type: ignore[arg-type]

    async def counted(self, number: int) -> None:
        """Wait until so many connections are open."""
        while self.transport.connections != number:
            await asyncio.sleep(0.001)


@asynccontextmanager
async def serving(
    directory: Path, limits: StreamLimits | None = None, clock: HandClock | None = None, tls: Context | None = None
) -> AsyncIterator[Site]:
    """A site, closed at the end."""
    rig = Rig(directory)
    site = Site(rig, limits or StreamLimits(), Clock(clock.monotonic, clock.wall) if clock else Clock(), tls)
    await site.transport.start()
    try:
        yield site
    finally:
        await site.transport.close()
        await site.counted(0)
        await rig.close()
        assert rig.faults.alarms["bug"] == 0


def echo(data: bytes, flow: Flow) -> list[Output]:
    """An engine that says everything back."""
    return [Send(flow, data)]


@pytest.mark.clause("TRN-15", "TRN-16", "RFC 7118 5.2.4")
def test_messages_go_back_on_their_connection(tmp_path: Path, loop: LoopFactory) -> None:
    """Text and binary from two clients: each hears its own answer, and the flow names transport and connection."""

    async def main() -> None:
        async with serving(tmp_path) as site:
            site.engine.on_receive = echo
            async with site.connect(origin=ORIGIN) as first, site.connect() as second:
                assert (first.subprotocol, second.subprotocol) == ("sip", "sip")
                assert first.protocol.extensions == []
                for client, text in ((second, "two"), (first, "one")):
                    await client.send(OPTIONS + text)
                    assert await client.recv() == OPTIONS + text
                await first.send(b"\xff\r\n")
                assert await first.recv() == b"\xff\r\n"
            flows = [flow for _, flow in site.engine.received]
            assert {flow.transport for flow in flows} == {"ws"}
            assert flows[0].connection != flows[1].connection == flows[2].connection

    run(main(), loop)


@pytest.mark.clause("TRN-16", "TRN-15", "RFC 7118 5.2.4")
def test_nobody_is_dialled(tmp_path: Path, loop: LoopFactory) -> None:
    """A flow without a connection, or whose connection is gone, is lost, though somebody is connected from there."""

    async def main() -> None:
        async with serving(tmp_path) as site, site.connect() as client:
            await client.send(OPTIONS)
            await site.engine.until(lambda: site.engine.received)
            flow = site.engine.received[0][1]
            lost = [flow._replace(connection=0), flow._replace(connection=999_999)]
            for gone in lost:
                site.transport.send(gone, b"SIP/2.0 200 OK\r\n\r\n")
            site.rig.driver.settle()
            assert site.engine.lost_flows == lost
            assert (site.transport.failed, site.transport.connections) == (2, 1)

    run(main(), loop)


@pytest.mark.clause("TRN-17", "RFC 5626 4.4.1", "RFC 7118 6")
def test_keep_alives_of_the_client(tmp_path: Path, loop: LoopFactory) -> None:
    """A double CRLF gets its CRLF, a ping its pong."""

    async def main() -> None:
        async with serving(tmp_path) as site, site.connect() as client:
            await client.send("\r\n\r\n")
            assert await client.recv() == "\r\n"
            await (await client.ping())
            assert site.engine.received == []

    run(main(), loop)


@pytest.mark.clause("TRN-17", "TRN-18", "RFC 7118 6")
def test_who_spoke_is_pinged_and_kept(tmp_path: Path, loop: LoopFactory) -> None:
    """Long silence: who answers pings stays, who only holds a connection goes, and so does who answers no more."""

    async def main() -> None:
        clock = HandClock()
        async with (
            serving(tmp_path, StreamLimits(idle_timeout=300), clock) as site,
            site.connect(ping_interval=None) as client,
            site.connect(ping_interval=None) as mute,
        ):
            await client.send(OPTIONS)
            await site.engine.until(lambda: site.engine.received)
            for _ in range(4):
                clock.now += 101
                await asyncio.sleep(1.1)
            await asyncio.wait_for(mute.wait_closed(), 5)
            assert site.transport.connections == 1
            client.transport.pause_reading()
            clock.now += 101
            await asyncio.sleep(1.1)
            assert site.transport.connections == 1
            clock.now += 11
            await site.engine.until(lambda: site.engine.lost_flows)
            client.transport.abort()

    run(main(), loop)


@pytest.mark.clause("TRN-18")
def test_slow_clients_are_cut_off(tmp_path: Path, loop: LoopFactory) -> None:
    """A handshake has five seconds, a message twenty from its first octet; who spoke whole messages stays."""

    async def main() -> None:
        clock = HandClock()
        async with serving(tmp_path, clock=clock) as site, site.connect() as good, site.connect() as slow:
            await good.send(OPTIONS)
            await slow.send(OPTIONS)
            await site.engine.until(lambda: len(site.engine.received) == 2)
            reader, writer = await asyncio.open_connection(*site.address)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
            await site.counted(3)
            clock.now += 6
            assert await reader.read() == b""
            assert site.transport.connections == 2
            slow.transport.write(b"\x01\x85\0\0\0\0hello")  # the first fragment of a text
            await asyncio.sleep(0.05)
            clock.now += 21
            await site.engine.until(lambda: len(site.engine.lost_flows) == 2)
            assert site.transport.connections == 1
            assert (await good.ping()) is not None
            writer.close()

    run(main(), loop)


@pytest.mark.clause("TRN-18")
def test_limits_of_a_listener(tmp_path: Path, loop: LoopFactory) -> None:
    """Too many from one address are turned away, a message that is too large ends its connection with 1009."""

    async def main() -> None:
        limits = StreamLimits(max_per_address=2, max_message=2000)
        async with serving(tmp_path, limits) as site, site.connect() as first, site.connect() as second:
            with pytest.raises((websockets.InvalidMessage, ConnectionError, EOFError)):
                await site.connect()
            await first.send("x" * 2001)
            await ended(first, 1009)
            await second.send("x" * 2000)
            await site.engine.until(lambda: site.engine.received)

    run(main(), loop)


def test_a_client_that_does_not_read_is_cut_off(tmp_path: Path, loop: LoopFactory) -> None:
    """What waits to be written is bounded: beyond that the connection goes, and the engine hears it."""

    async def main() -> None:
        async with serving(tmp_path, StreamLimits(max_unwritten=200_000)) as site, site.connect() as client:
            site.engine.on_receive = lambda data, flow: [Send(flow, b"x" * 100_000) for _ in range(200)]
            client.transport.pause_reading()
            await client.send(OPTIONS)
            await site.engine.until(lambda: site.engine.lost_flows)
            assert site.transport.dropped
            client.transport.abort()

    run(main(), loop)


@pytest.mark.clause("RFC 6455 5.5.1")
def test_ends(tmp_path: Path, loop: LoopFactory) -> None:
    """The engine's close is told with 1001, broken frames with 1002, and a client may go with 1000."""

    async def main() -> None:
        async with serving(tmp_path) as site:
            site.engine.on_receive = lambda data, flow: [Send(flow, data), Close(flow)] if data == b"bye" else []
            async with site.connect() as client, site.connect() as broken:
                await client.send("bye")
                assert await client.recv() == "bye"
                await ended(client, 1001)
                broken.transport.write(b"\x81\x02hi")
                await ended(broken, 1002)
            async with site.connect() as polite:
                await polite.close(1000)
                assert polite.close_code == 1000

    run(main(), loop)


@pytest.mark.clause("TRN-15", "TRN-14", "RFC 7118 5.2.1")
def test_over_tls(tmp_path: Path, loop: LoopFactory) -> None:
    """wss: the same over TLS; who does not trust the certificate does not connect."""

    async def main() -> None:
        authority = TlsCa(Clock().unix_time())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*write(authority.issue("edge.example.com"), tmp_path, "edge"))
        trusting = ssl.create_default_context(cadata=authority.root.certificate_pem.decode())
        async with serving(tmp_path, tls=Context(context)) as site:
            site.engine.on_receive = echo
            async with site.connect(trusting, server_hostname="edge.example.com") as client:
                await client.send(OPTIONS)
                assert await client.recv() == OPTIONS
            assert site.engine.received[0][1].transport == "wss"
            with pytest.raises(ssl.SSLCertVerificationError):
                await site.connect(ssl.create_default_context(), server_hostname="edge.example.com")

    run(main(), loop)


async def ended(client: ClientConnection, code: int) -> None:
    """The connection ends with this code."""
    with pytest.raises(websockets.ConnectionClosed):
        await client.recv()
    assert client.close_code == code


def test_a_connection_that_went_leaves_nothing(tmp_path: Path, loop: LoopFactory) -> None:
    """What a WebSocket took is given back when it closes, without waiting for the garbage collector."""

    async def main() -> None:
        async with serving(tmp_path) as site:
            async with site.connect() as client:
                await client.send(OPTIONS)
                await site.engine.until(lambda: site.engine.received)
                gc.collect()
                before = existing()
                gc.disable()
            await site.counted(0)
            for _ in range(5):
                await asyncio.sleep(0)
            left = existing()
            gc.enable()
            assert left == before - 1

    run(main(), loop)


def existing() -> int:
    """How many connections of WebSockets there are in memory."""
    return sum(type(item) is WebSocketConnection for item in gc.get_objects())
