"""UDP on loopback, under both loops."""

import asyncio
import socket
import time
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sipguard.proxy.output import Output
from sipguard.runtime.binding import bind
from sipguard.runtime.udp import UdpTransport
from sipguard.sip.flow import Flow, Send
from tests.runtime.kit import LOOPS, LoopFactory, Rig, listener, run, udp_peer

pytestmark = pytest.mark.parametrize("loop", LOOPS)


@asynccontextmanager
async def echoing(rig: Rig, host: str = "127.0.0.1") -> AsyncIterator[tuple[UdpTransport, tuple[str, int]]]:
    """A UDP listener whose engine sends everything back."""
    bound = bind("listener", "udp", host, 0)
    transport = UdpTransport(listener(bound, "udp"), bound, rig.driver, asyncio.get_running_loop(), rig.clock)
    rig.driver.transports[0] = transport
    rig.engine.on_receive = lambda data, flow: [Send(flow, data)]
    transport.start()
    try:
        yield transport, bound.getsockname()[:2]
    finally:
        transport.close()
        await rig.close()


async def exchange(peer: socket.socket, data: bytes, address: tuple[str, int]) -> bytes:
    """Send a datagram and wait for one, beside the loop."""
    peer.sendto(data, address)
    return await asyncio.to_thread(peer.recv, 70_000)


@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_a_datagram_comes_in_with_its_flow_and_goes_back(
    tmp_path: Path, loop: LoopFactory, host: str, family: socket.AddressFamily
) -> None:
    """IPv4 and IPv6: the flow names listener, transport and remote address, and leads back."""

    async def main() -> None:
        rig = Rig(tmp_path)
        async with echoing(rig, host) as (transport, address):
            with udp_peer(family) as peer:
                assert await exchange(peer, b"ping", address) == b"ping"
                assert rig.engine.received == [(b"ping", Flow(0, "udp", host, peer.getsockname()[1]))]
        assert (transport.received, transport.sent, transport.failed) == (1, 1, 0)

    run(main(), loop)


@pytest.mark.clause("TRN-04", "RFC 3261 18.1.1")
def test_a_datagram_of_sixty_kilobytes_passes(tmp_path: Path, loop: LoopFactory) -> None:
    """Datagrams up to the largest UDP carries are accepted whole."""

    async def main() -> None:
        async with echoing(Rig(tmp_path)) as (_, address):
            with udp_peer() as peer:
                data = b"x" * 65_507
                assert await exchange(peer, data, address) == data

    run(main(), loop)


def test_a_burst_is_drained_in_batches(tmp_path: Path, loop: LoopFactory) -> None:
    """More datagrams than one wake-up takes are all served."""

    async def main() -> None:
        rig = Rig(tmp_path)
        async with echoing(rig) as (_, address):
            rig.engine.on_receive = lambda data, flow: []
            with udp_peer() as peer:
                for number in range(200):
                    peer.sendto(str(number).encode(), address)
                await rig.engine.until(lambda: len(rig.engine.received) == 200)
        assert [data for data, _ in rig.engine.received] == [str(number).encode() for number in range(200)]

    run(main(), loop)


def test_reading_takes_no_more_memory_than_the_datagram(tmp_path: Path, loop: LoopFactory) -> None:
    """No object of the largest size is made for each datagram, alone or in a batch: the heap would grow around them."""

    async def main() -> None:
        rig = Rig(tmp_path)
        async with echoing(rig) as (_, address):
            rig.engine.on_receive = lambda data, flow: []
            with udp_peer() as peer:
                peer.sendto(b"the first", address)
                await rig.engine.until(lambda: len(rig.engine.received) == 1)
                tracemalloc.start()
                for _ in range(20):
                    peer.sendto(b"x" * 500, address)
                await rig.engine.until(lambda: len(rig.engine.received) == 21)
                _, peak = tracemalloc.get_traced_memory()
                tracemalloc.stop()
        assert peak < 60_000

    run(main(), loop)


@pytest.mark.clause("TRN-20")
def test_a_mapped_listener_speaks_of_ipv4(tmp_path: Path, loop: LoopFactory) -> None:
    """On ::ffff:127.0.0.1 a peer's address is its IPv4 one, and answers reach it."""

    async def main() -> None:
        rig = Rig(tmp_path)
        async with echoing(rig, "::ffff:127.0.0.1") as (_, address):
            with udp_peer() as peer:
                assert await exchange(peer, b"ping", ("127.0.0.1", address[1])) == b"ping"
        assert rig.engine.received[0][1].host == "127.0.0.1"

    run(main(), loop)


@pytest.mark.clause("TRN-19", "RFC 3261 18.4")
@pytest.mark.parametrize(("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_an_unreachable_port_is_told_for_its_own_flow(
    tmp_path: Path, loop: LoopFactory, host: str, family: socket.AddressFamily
) -> None:
    """ICMP says that nobody listens: the engine hears it for that destination, nobody else is affected."""

    async def main() -> None:
        rig = Rig(tmp_path)
        async with echoing(rig, host) as (_, address):
            with udp_peer(family) as dead:
                port = dead.getsockname()[1]
            flow = Flow(0, "udp", host, port)
            rig.engine.on_receive = lambda data, back: [Send(flow, b"to the dead"), Send(back, b"to the living")]
            with udp_peer(family) as peer:
                assert await exchange(peer, b"ping", address) == b"to the living"
                await rig.engine.until(lambda: rig.engine.lost_flows)
                assert set(rig.engine.lost_flows) == {flow}

    run(main(), loop)


@pytest.mark.clause("TRN-19")
def test_an_icmp_storm_does_not_stop_the_listener(tmp_path: Path, loop: LoopFactory) -> None:
    """Hundreds of unreachable destinations, each send meeting the errors of others: the living are served."""

    async def main() -> None:
        rig = Rig(tmp_path)
        async with echoing(rig) as (transport, address):
            with udp_peer() as dead:
                port = dead.getsockname()[1]

            def storm(data: bytes, back: Flow) -> list[Output]:
                sends: list[Output] = [Send(Flow(0, "udp", f"127.0.1.{number}", port), b"x") for number in range(1, 51)]
                return [*sends, Send(back, data)]

            rig.engine.on_receive = storm
            with udp_peer() as peer:
                for number in range(20):
                    data = str(number).encode()
                    assert await exchange(peer, data, address) == data
        assert {flow.host for flow in rig.engine.lost_flows} <= {f"127.0.1.{number}" for number in range(1, 51)}
        assert rig.engine.lost_flows
        assert rig.faults.alarms["bug"] == 0
        assert transport.received == 20

    run(main(), loop)


@pytest.mark.clause("TRN-19")
@pytest.mark.parametrize(
    ("flow", "size"),
    [
        (Flow(0, "udp", "127.0.0.1", 5060), 70_000),  # EMSGSIZE
        (Flow(0, "udp", "::1", 5060), 10),  # another family
        (Flow(0, "udp", "127.0.0.1", 70_000), 10),  # no port
        (Flow(0, "udp", "255.255.255.255", 5060), 10),  # EACCES
    ],
)
def test_a_send_that_cannot_be_made_is_told(tmp_path: Path, loop: LoopFactory, flow: Flow, size: int) -> None:
    """Any failure of one destination is that flow's loss and nothing more; a message too large is nobody else's."""

    async def main() -> None:
        rig = Rig(tmp_path)
        async with echoing(rig) as (_, address):
            rig.engine.on_receive = lambda data, back: [Send(flow, b"x" * size), Send(back, b"pong")]
            with udp_peer() as peer:
                assert await exchange(peer, b"ping", address) == b"pong"
        assert rig.engine.lost_flows == ([flow] if size < 65_507 else [])
        assert rig.faults.alarms["bug"] == 0

    run(main(), loop)


def test_a_backlog_is_measured_by_the_kernel_s_stamps(tmp_path: Path, loop: LoopFactory) -> None:
    """After a wake-up that found several datagrams, the next one tells how long its first has waited."""

    async def main() -> None:
        rig = Rig(tmp_path)
        async with echoing(rig) as (_, address):
            rig.engine.on_receive = lambda data, flow: []
            with udp_peer() as peer:
                for number in range(65):
                    peer.sendto(str(number).encode(), address)
                time.sleep(0.1)  # the loop is busy with something else
                await rig.engine.until(lambda: len(rig.engine.received) == 65)
        assert 0.1 <= max(rig.engine.delays) < 5

    run(main(), loop)


def test_single_datagrams_are_not_measured(tmp_path: Path, loop: LoopFactory) -> None:
    """Without a backlog measuring would cost each message more than it tells."""

    async def main() -> None:
        rig = Rig(tmp_path)
        async with echoing(rig) as (_, address):
            with udp_peer() as peer:
                for _ in range(10):
                    assert await exchange(peer, b"ping", address) == b"ping"
        assert rig.engine.delays == []

    run(main(), loop)
