"""TCP on loopback, under both loops: framing, reuse, limits, failures."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sipguard.proxy.output import Close
from sipguard.runtime.binding import bind
from sipguard.runtime.clock import Clock
from sipguard.runtime.stream import StreamLimits, StreamTransport
from sipguard.sip.flow import Flow, Send
from tests.runtime.kit import LOOPS, LoopFactory, Rig, listener, run

pytestmark = pytest.mark.parametrize("loop", LOOPS)

HEAD = (
    "{method} sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK1;rport\r\nFrom: <sip:a@b>;tag=1\r\n"
    "To: <sip:127.0.0.1>\r\nCall-ID: {call_id}\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\n"
    "Content-Length: {length}\r\n\r\n"
)


def message(call_id: str = "1", method: str = "OPTIONS", length: str = "0") -> bytes:
    """A request as octets."""
    return HEAD.format(method=method, call_id=call_id, length=length).encode()


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now


class Site:
    """A TCP listener around a scripted engine."""

    def __init__(self, rig: Rig, limits: StreamLimits, clock: Clock) -> None:
        self.rig = rig
        self.engine = rig.engine
        self.bound = bind("listener", "tcp", "127.0.0.1", 0)
        self.address: tuple[str, int] = self.bound.getsockname()
        loop = asyncio.get_running_loop()
        self.transport = StreamTransport(listener(self.bound, "tcp"), self.bound, rig.driver, loop, clock, limits)
        rig.driver.transports[0] = self.transport

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A peer's connection to the listener."""
        return await asyncio.open_connection(*self.address)

    async def counted(self, number: int) -> None:
        """Wait until so many connections are open."""
        while self.transport.connections != number:
            await asyncio.sleep(0)


@asynccontextmanager
async def serving(
    directory: Path, limits: StreamLimits | None = None, clock: HandClock | None = None
) -> AsyncIterator[Site]:
    """A site, closed at the end."""
    stream_clock = Clock(clock.monotonic, clock.wall) if clock else Clock()
    rig = Rig(directory)
    site = Site(rig, limits or StreamLimits(), stream_clock)
    await site.transport.start()
    try:
        yield site
    finally:
        await site.transport.close()
        await site.counted(0)
        await rig.close()
        assert rig.faults.alarms["bug"] == 0


@pytest.mark.clause("TRN-05", "RFC 3261 18.3")
def test_ten_messages_in_one_write(tmp_path: Path, loop: LoopFactory) -> None:
    """Several messages in one segment are taken apart, in order."""

    async def main() -> None:
        async with serving(tmp_path) as site:
            _, writer = await site.connect()
            sent = [message(str(number)) for number in range(10)]
            writer.write(b"".join(sent))
            await site.engine.until(lambda: len(site.engine.received) == 10)
            assert [data for data, _ in site.engine.received] == sent
            writer.close()

    run(main(), loop)


@pytest.mark.clause("TRN-05")
def test_one_octet_at_a_time(tmp_path: Path, loop: LoopFactory) -> None:
    """A message that drips in is put together."""

    async def main() -> None:
        async with serving(tmp_path) as site:
            _, writer = await site.connect()
            for octet in message():
                writer.write(bytes((octet,)))
                await writer.drain()
                await asyncio.sleep(0)
            await site.engine.until(lambda: site.engine.received)
            assert site.engine.received[0][0] == message()
            writer.close()

    run(main(), loop)


@pytest.mark.clause("MSG-12", "RFC 5626 4.4.1")
def test_a_double_line_end_is_answered_with_one(tmp_path: Path, loop: LoopFactory) -> None:
    """CRLFCRLF before an INVITE: one CRLF back, then the INVITE is served."""

    async def main() -> None:
        async with serving(tmp_path) as site:
            reader, writer = await site.connect()
            writer.write(b"\r\n\r\n" + message())
            assert await reader.readexactly(2) == b"\r\n"
            await site.engine.until(lambda: site.engine.received)
            assert site.engine.received[0][0] == message()
            writer.close()

    run(main(), loop)


@pytest.mark.clause("MSG-11", "RFC 3261 18.3")
def test_a_content_length_that_is_no_number_ends_its_connection_only(tmp_path: Path, loop: LoopFactory) -> None:
    """One 400, then the end of the stream; another connection goes on."""

    async def main() -> None:
        async with serving(tmp_path) as site:
            site.engine.on_receive = lambda data, flow: [Send(flow, b"pong")]
            reader, writer = await site.connect()
            other_reader, other_writer = await site.connect()
            writer.write(message(length="five"))
            answer = await reader.read()
            assert answer.startswith(b"SIP/2.0 400 ")
            assert answer.count(b"SIP/2.0 400 ") == 1
            assert b";rport=" in answer
            other_writer.write(message())
            assert await other_reader.readexactly(4) == b"pong"
            writer.close()
            other_writer.close()

    run(main(), loop)


@pytest.mark.clause("MSG-11", "RFC 3261 18.3")
@pytest.mark.parametrize(
    ("via", "answered"), [("", False), ("Via: SIP/2.0\r\n", True), ('v: SIP/2.0/TCP a, "\r\n', True)]
)
def test_a_lost_stream_whose_via_cannot_be_read(tmp_path: Path, loop: LoopFactory, via: str, answered: bool) -> None:
    """Without a Content-Length and a readable Via the stream ends like any other: nothing of it is a fault of ours."""
    failures: list[dict[str, object]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        async with serving(tmp_path) as site:
            reader, writer = await site.connect()
            writer.write(f"INVITE sip:a SIP/2.0\r\n{via}\r\n".encode())
            answer = await reader.read()
            assert answer.startswith(b"SIP/2.0 400 ") == answered
            assert bool(answer) == answered
            writer.close()

    run(main(), loop)
    assert failures == []


@pytest.mark.clause("MSG-11")
def test_messages_before_the_broken_one_are_served(tmp_path: Path, loop: LoopFactory) -> None:
    """A good message in the same segment as a broken one reaches the engine."""

    async def main() -> None:
        async with serving(tmp_path) as site:
            reader, writer = await site.connect()
            writer.write(message("good") + message("bad", "ACK", length="-1"))
            assert await reader.read() == b""  # nothing answers an ACK
            assert [data for data, _ in site.engine.received] == [message("good")]
            writer.close()

    run(main(), loop)


@pytest.mark.clause("TRN-06", "RFC 3261 18.2.2")
def test_a_response_goes_back_on_its_connection(tmp_path: Path, loop: LoopFactory) -> None:
    """The flow a request came with leads to the same connection, not to another from the same host."""

    async def main() -> None:
        async with serving(tmp_path) as site:
            site.engine.on_receive = lambda data, flow: [Send(flow, b"SIP/2.0 200 " + data[-1:])]
            peers = [await site.connect() for _ in range(3)]
            for reader, writer in reversed(peers):
                writer.write(message())
                assert await reader.readexactly(13) == b"SIP/2.0 200 \n"
                writer.close()

    run(main(), loop)


@pytest.mark.clause("TRN-06", "RFC 5923")
def test_a_request_opens_a_connection_of_its_own_and_keeps_it(tmp_path: Path, loop: LoopFactory) -> None:
    """Requests to a neighbour share one connection that we opened; its own connection to us carries none."""

    async def main() -> None:
        async with serving(tmp_path) as site, serving(tmp_path / "b") as neighbour:
            _, theirs = await neighbour.connect()
            flow = Flow(0, "tcp", *neighbour.address)
            for number in range(3):
                site.transport.send(flow, message(str(number), "INVITE"))
            await neighbour.engine.until(lambda: len(neighbour.engine.received) == 3)
            assert len({back.connection for _, back in neighbour.engine.received}) == 1
            assert neighbour.transport.connections == 2
            neighbour.engine.received.clear()
            back = Flow(0, "tcp", *theirs.get_extra_info("sockname"))
            neighbour.transport.send(back, message(method="INVITE"))  # nobody listens at that port
            await neighbour.engine.until(lambda: neighbour.engine.lost_flows)
            assert neighbour.engine.lost_flows == [back]
            theirs.close()

    run(main(), loop)


def test_a_response_may_use_any_connection_from_its_address(tmp_path: Path, loop: LoopFactory) -> None:
    """A response whose flow names no connection uses the one open from that address."""

    async def main() -> None:
        async with serving(tmp_path) as site:
            reader, writer = await site.connect()
            await site.counted(1)
            site.transport.send(Flow(0, "tcp", *writer.get_extra_info("sockname")), b"SIP/2.0 200 OK")
            assert await reader.readexactly(14) == b"SIP/2.0 200 OK"
            writer.close()

    run(main(), loop)


def test_what_comes_on_a_connection_we_opened_names_it(tmp_path: Path, loop: LoopFactory) -> None:
    """The neighbour's answer on our connection reaches the engine with that connection's flow."""

    async def main() -> None:
        async with serving(tmp_path) as site, serving(tmp_path / "b") as neighbour:
            neighbour.engine.on_receive = lambda data, flow: [Send(flow, message("answer"))]
            site.transport.send(Flow(0, "tcp", *neighbour.address), message())
            await site.engine.until(lambda: site.engine.received)
            data, flow = site.engine.received[0]
            assert data == message("answer")
            assert (flow.host, flow.port) == neighbour.address
            assert flow.connection

    run(main(), loop)


@pytest.mark.clause("RFC 3261 18.4")
def test_a_refused_connection_is_the_flows_loss(tmp_path: Path, loop: LoopFactory) -> None:
    """Nobody listens: what was queued is lost, the engine hears it once, the next send tries anew."""

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as dead:
            address = dead.getsockname()
        async with serving(tmp_path) as site:
            flow = Flow(0, "tcp", *address)
            site.transport.send(flow, message())
            site.transport.send(flow, message())
            await site.engine.until(lambda: flow in site.engine.lost_flows)
            assert site.engine.lost_flows == [flow]
            site.transport.send(flow, message())
            await site.engine.until(lambda: len(site.engine.lost_flows) == 2)

    run(main(), loop)


def test_a_lost_connection_is_told_under_both_its_flows(tmp_path: Path, loop: LoopFactory) -> None:
    """A neighbour that closes our connection: requests sent to its address, and on that connection, are lost."""

    async def main() -> None:
        async with serving(tmp_path) as site, serving(tmp_path / "b") as neighbour:
            flow = Flow(0, "tcp", *neighbour.address)
            neighbour.engine.on_receive = lambda data, back: [Close(back)]
            site.transport.send(flow, message())
            await site.engine.until(lambda: flow in site.engine.lost_flows)
            assert [lost._replace(connection=0) for lost in site.engine.lost_flows] == [flow, flow]

    run(main(), loop)


def test_a_send_on_a_connection_that_is_gone_is_lost(tmp_path: Path, loop: LoopFactory) -> None:
    """A number that no connection has any more: the engine decides about another way."""

    async def main() -> None:
        async with serving(tmp_path) as site:
            flow = Flow(0, "tcp", "127.0.0.1", 9, 12345678)
            site.transport.send(flow, b"SIP/2.0 200 OK")
            site.rig.driver.settle()
            assert site.engine.lost_flows == [flow]

    run(main(), loop)


def test_a_peer_that_does_not_read_is_cut_off(tmp_path: Path, loop: LoopFactory) -> None:
    """What waits to be written is bounded: beyond that the connection goes, and the engine hears it."""

    async def main() -> None:
        async with serving(tmp_path, StreamLimits(max_unwritten=200_000)) as site:
            site.engine.on_receive = lambda data, flow: [Send(flow, b"x" * 100_000) for _ in range(200)]
            _, writer = await site.connect()
            writer.write(message())
            await site.engine.until(lambda: site.engine.lost_flows)
            assert site.transport.dropped
            writer.close()

    run(main(), loop)


@pytest.mark.clause("TRN-18")
def test_connections_beyond_the_limits_are_closed_at_once(tmp_path: Path, loop: LoopFactory) -> None:
    """Too many from one address are turned away; those that are in stay in."""

    async def main() -> None:
        async with serving(tmp_path, StreamLimits(max_connections=20, max_per_address=5)) as site:
            site.engine.on_receive = lambda data, flow: [Send(flow, b"pong")]
            peers = [await site.connect() for _ in range(8)]
            for reader, _ in peers[5:]:
                with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                    await reader.readexactly(1)
            peers[0][1].write(message())
            assert await peers[0][0].readexactly(4) == b"pong"
            assert site.transport.connections == 5
            for _, writer in peers:
                writer.close()

    run(main(), loop)


@pytest.mark.clause("TRN-18")
def test_those_who_only_connect_make_room(tmp_path: Path, loop: LoopFactory) -> None:
    """A full listener: who comes next is let in, and so is a target of ours; who spoke stays, the oldest mute one goes;
    when everybody has spoken, nobody more is let in."""

    async def main() -> None:
        limits = StreamLimits(max_connections=4, max_per_address=100)
        async with serving(tmp_path, limits) as site, serving(tmp_path / "b") as neighbour:
            site.engine.on_receive = lambda data, flow: [Send(flow, b"pong")]
            peers = []
            for _ in range(4):
                peers.append(await site.connect())
                await site.counted(len(peers))
            (good_reader, good), (old_reader, _), (next_reader, _), (last_reader, last) = peers
            good.write(message())
            assert await good_reader.readexactly(4) == b"pong"
            reader, writer = await site.connect()
            writer.write(message())
            assert await reader.readexactly(4) == b"pong"
            assert await ended(old_reader)
            site.transport.send(Flow(0, "tcp", *neighbour.address), message())
            await neighbour.engine.until(lambda: neighbour.engine.received)
            assert await ended(next_reader)
            for there, back in ((good, good_reader), (last, last_reader)):
                there.write(message())
                assert await back.readexactly(4) == b"pong"
            late_reader, late = await site.connect()
            assert await ended(late_reader)
            assert site.transport.connections == 4
            for closing in (good, last, writer, late):
                closing.close()

    run(main(), loop)


async def ended(reader: asyncio.StreamReader) -> bool:
    """Wait for the end of a connection on which nothing came."""
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True


@pytest.mark.clause("TRN-18", "TRN-07")
def test_silence_and_slowness_are_bounded(tmp_path: Path, loop: LoopFactory) -> None:
    """Who never speaks, or never ends a message, goes soon; who spoke may be silent longer than Timer C."""

    async def main() -> None:
        clock = HandClock()
        async with serving(tmp_path, clock=clock) as site:
            _, mute = await site.connect()
            _, slow = await site.connect()
            good_reader, good = await site.connect()
            _, sloppy = await site.connect()
            good.write(message())
            slow.write(message() + message()[:50])
            sloppy.write(message() + b"\r\n")
            await site.engine.until(lambda: len(site.engine.received) == 3)
            await site.counted(4)
            clock.now += 21
            await site.counted(2)
            clock.now += 200
            flow = next(flow for _, flow in site.engine.received if flow.port == good.get_extra_info("sockname")[1])
            site.transport.send(flow, b"SIP/2.0 180 Ringing")  # of a call that has rung for 221 seconds
            assert await good_reader.readexactly(19) == b"SIP/2.0 180 Ringing"
            assert site.transport.connections == 2
            clock.now += 100
            await site.counted(0)
            for writer in (mute, slow, good, sloppy):
                writer.close()

    run(main(), loop)


def test_a_message_larger_than_the_limit_ends_the_connection(tmp_path: Path, loop: LoopFactory) -> None:
    """513 and the end, before the octets are there."""

    async def main() -> None:
        async with serving(tmp_path, StreamLimits(max_message=2000)) as site:
            reader, writer = await site.connect()
            writer.write(message(length="5000"))
            assert (await reader.read()).startswith(b"SIP/2.0 513 ")
            writer.close()

    run(main(), loop)


@pytest.mark.clause("TRN-17", "RFC 5626 4.4.1")
def test_a_silent_target_is_pinged(tmp_path: Path, loop: LoopFactory) -> None:
    """After the interval a target gets a ping; with its pong the connection stays, without it goes in ten seconds."""

    async def main() -> None:
        clock = HandClock()
        limits = StreamLimits(ping_interval=30)
        connected = asyncio.Event()
        pings: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readexactly(len(message()))
            connected.set()
            while await reader.read(4) == b"\r\n\r\n":
                await pings.put(writer)
            writer.close()

        async with serving(tmp_path, limits, clock) as site:
            server = await asyncio.start_server(answer, "127.0.0.1", 0)
            flow = Flow(0, "tcp", *server.sockets[0].getsockname())
            site.transport.send(flow, message())
            await connected.wait()
            for count in (1, 2):
                clock.now += 31
                writer = await pings.get()
                writer.write(b"\r\n")
                await writer.drain()
                writer.write(message(str(count)))
                await site.engine.until(lambda count=count: len(site.engine.received) == count)
            clock.now += 31
            await pings.get()
            clock.now += 9
            await asyncio.sleep(1.2)
            assert site.transport.connections == 1
            clock.now += 2
            await site.engine.until(lambda: flow in site.engine.lost_flows)
            assert pings.empty()
            server.close()

    run(main(), loop)


@pytest.mark.clause("RFC 5626 4.4.1")
def test_peers_that_connected_are_not_pinged(tmp_path: Path, loop: LoopFactory) -> None:
    """Keeping a connection alive is for who opened it."""

    async def main() -> None:
        clock = HandClock()
        async with serving(tmp_path, StreamLimits(ping_interval=30), clock) as site:
            site.engine.on_receive = lambda data, flow: [Send(flow, b"SIP/2.0 200 OK")]
            reader, writer = await site.connect()
            writer.write(message())
            assert await reader.readexactly(14) == b"SIP/2.0 200 OK"
            clock.now += 60
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 1.2)
            writer.close()

    run(main(), loop)


def test_what_is_still_unread_is_measured(tmp_path: Path, loop: LoopFactory) -> None:
    """When many messages come at once, the driver hears how long those behind them will wait."""

    async def main() -> None:
        async with serving(tmp_path) as site:
            site.engine.on_receive = lambda data, flow: []
            _, writer = await site.connect()
            writer.write(message() * 8000)
            await site.engine.until(lambda: len(site.engine.received) == 8000)
            assert max(site.engine.delays) > 0
            writer.close()

    run(main(), loop)


def test_a_few_messages_are_not_measured(tmp_path: Path, loop: LoopFactory) -> None:
    """Nothing is asked of a connection that is not busy."""

    async def main() -> None:
        async with serving(tmp_path) as site:
            _, writer = await site.connect()
            writer.write(message() * 2)
            await site.engine.until(lambda: len(site.engine.received) == 2)
            assert site.engine.delays == []
            writer.close()

    run(main(), loop)
