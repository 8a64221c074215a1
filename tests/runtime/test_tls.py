"""TLS on loopback, under both loops: who is believed to be whom, what is refused, limits, reload."""

import asyncio
import contextlib
import re
import socket
import ssl
import warnings
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from sipguard.policy.trunk import Side as TrunkSide
from sipguard.policy.trunk import Target, Trunk
from sipguard.runtime.stream import StreamLimits
from sipguard.runtime.tls_watch import TlsWatch
from sipguard.sip.flow import Flow, Send
from sipguard.testing.sti_ca import Issued
from sipguard.testing.tls_ca import write
from tests.runtime.kit import LOOPS, LoopFactory, run
from tests.runtime.test_stream import message
from tests.runtime.tls_site import (
    CA,
    EXPIRED,
    OTHER_CA,
    PEER,
    STRANGER,
    client_context,
    neighbour,
    tls_site,
)

pytestmark = pytest.mark.parametrize("loop", LOOPS)

VIA = b"Via: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK1;rport"


def over_tls(port: int, alias: bool = True) -> bytes:
    """A request whose sender takes requests at a port, and on its connection."""
    via = f"Via: SIP/2.0/TLS 127.0.0.1:{port};branch=z9hG4bK1{';alias' if alias else ''}"
    return message(method="INVITE").replace(VIA, via.encode())


# --- peers that connect


@pytest.mark.clause("TRN-14", "TRN-08", "RFC 9325 3.1.1", "RFC 9325 4.2")
def test_versions_and_suites(tmp_path: Path, loop: LoopFactory) -> None:
    """TLS 1.2 and 1.3 with AEAD suites are spoken; TLS 1.1, and suites with CBC or without forward secrecy, are not."""

    async def main() -> None:
        async with tls_site(tmp_path) as site:
            for version, suites, spoken in (
                (ssl.TLSVersion.TLSv1_3, "DEFAULT", True),
                (ssl.TLSVersion.TLSv1_2, "DEFAULT", True),
                (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA256", False),
                (ssl.TLSVersion.TLSv1_1, "DEFAULT:@SECLEVEL=0", False),
            ):
                context = client_context(tmp_path)
                context.set_ciphers(suites)
                with warnings.catch_warnings(action="ignore"):  # one of them is deprecated, hence here
                    context.minimum_version = context.maximum_version = version
                if not spoken:
                    with pytest.raises((ssl.SSLError, OSError)):
                        await site.connect(context=context)
                    continue
                _, writer = await site.connect(context=context)
                suite = writer.get_extra_info("cipher")[0]
                assert re.search("GCM|CHACHA20", suite)
                writer.close()
            assert site.transport.failed == 2

    run(main(), loop)


@pytest.mark.clause("TRN-08")
def test_a_message_over_tls(tmp_path: Path, loop: LoopFactory) -> None:
    """It reaches the engine on a flow that says tls and nobody's name, and is answered on its connection."""

    async def main() -> None:
        async with tls_site(tmp_path) as site:
            site.engine.on_receive = lambda data, flow: [Send(flow, b"SIP/2.0 200 OK")]
            reader, writer = await site.connect()
            for octet in message():
                writer.write(bytes((octet,)))
                await asyncio.sleep(0)
            assert await reader.readexactly(14) == b"SIP/2.0 200 OK"
            data, flow = site.engine.received[0]
            assert (data, flow.transport, flow.names) == (message(), "tls", ())
            writer.close()

    run(main(), loop)


SIP_URI = CA.issue("dns.example", uris=("sips:no.example", "sip:user@no.example", "SIP:Carrier.Example"))
COMMON_NAME = CA.issue(common_name="cn.example")


@pytest.mark.clause("TRN-09", "RFC 5922 7.1", "RFC 5922 7.4")
@pytest.mark.parametrize(
    ("own", "names"),
    [
        (CA.issue("Peer.Example", "peer2.example"), ("peer.example", "peer2.example")),
        (CA.issue("peer.example", common_name="cn.example"), ("peer.example",)),
        (CA.issue("*.example"), ("*.example",)),
        (SIP_URI, ("carrier.example",)),
        (COMMON_NAME, ("cn.example",)),
        (CA.issue(uris=("sips:no.example",), common_name="cn.example"), ()),
    ],
    ids=["dns", "no-common-name", "wildcard-is-itself", "uri-first", "common-name", "no-identity"],
)
def test_whom_a_certificate_proves(tmp_path: Path, loop: LoopFactory, own: Issued, names: tuple[str, ...]) -> None:
    """The identities reach the engine on the flow: sip URIs, else DNS names, else a lone common name."""

    async def main() -> None:
        async with tls_site(tmp_path, client_ca=True) as site:
            _, writer = await site.connect(own)
            writer.write(message())
            await site.engine.until(lambda: site.engine.received)
            assert site.engine.received[0][1].names == names
            writer.close()

    run(main(), loop)


@pytest.mark.clause("TRN-08", "RFC 5922 7.1", "RFC 5922 7.4")
@pytest.mark.parametrize(
    "own",
    [None, EXPIRED, STRANGER, CA.issue("peer.example", usages=(ExtendedKeyUsageOID.SERVER_AUTH,))],
    ids=["none", "expired", "other-authority", "servers-only"],
)
def test_clients_that_prove_nothing(tmp_path: Path, loop: LoopFactory, own: Issued | None) -> None:
    """Without a good certificate there is no connection, and nothing reaches the engine."""

    async def main() -> None:
        async with tls_site(tmp_path, client_ca=True) as site:
            with contextlib.suppress(OSError):  # TLS 1.3 tells a client after its handshake
                reader, writer = await site.connect(own)
                writer.write(message())
                assert await reader.read() == b""
            while not site.transport.failed:
                await asyncio.sleep(0)
            assert (site.engine.received, site.transport.connections) == ([], 0)

    run(main(), loop)


@pytest.mark.clause("TRN-18")
def test_handshakes_that_never_end(tmp_path: Path, loop: LoopFactory) -> None:
    """A peer that connects and says nothing, or a little, goes after the handshake's time, and fills one place only."""

    async def main() -> None:
        limits = StreamLimits(handshake_timeout=0.3, max_handshakes=8)
        async with tls_site(tmp_path, limits=limits) as site:
            mutes = [await asyncio.open_connection(*site.address) for _ in range(5)]
            mutes[0][1].write(b"\x16\x03\x01")
            with pytest.raises((OSError, ssl.SSLError)):  # two of a quarter of eight are taken
                await site.connect()
            assert site.transport.handshakes == 2
            for reader, writer in mutes:
                with pytest.raises((OSError, asyncio.IncompleteReadError)):
                    await reader.readexactly(1)
                writer.close()
            while site.transport.handshakes:
                await asyncio.sleep(0)
            _, writer = await site.connect()
            await site.counted(1)
            writer.close()

    run(main(), loop)


@pytest.mark.clause("TRN-18")
def test_one_address_keeps_no_others_out(tmp_path: Path, loop: LoopFactory) -> None:
    """Three hundred idle sockets from one address: another one shakes hands and is answered at once."""

    async def main() -> None:
        async with tls_site(tmp_path) as site:
            site.engine.on_receive = lambda data, flow: [Send(flow, b"SIP/2.0 200 OK")]
            idle = [await asyncio.open_connection(*site.address) for _ in range(300)]
            while site.transport.handshakes < 25:
                await asyncio.sleep(0)
            reader, writer = await asyncio.open_connection(
                *site.address,
                ssl=client_context(tmp_path),
                server_hostname="edge.example",
                local_addr=("127.0.0.9", 0),
            )
            writer.write(message())
            assert await reader.readexactly(14) == b"SIP/2.0 200 OK"
            for _, other in [*idle, (reader, writer)]:
                other.close()

    run(main(), loop)


@pytest.mark.clause("TRN-18")
def test_the_oldest_handshake_makes_room(tmp_path: Path, loop: LoopFactory) -> None:
    """Idle sockets from many addresses take every place: who comes next shakes hands all the same, the oldest goes."""

    async def main() -> None:
        async with tls_site(tmp_path, limits=StreamLimits(handshake_timeout=60, max_handshakes=8)) as site:
            idle = []
            for number in range(8):
                here = (f"127.0.0.{10 + number}", 0)
                idle.append(await asyncio.open_connection(*site.address, local_addr=here))
                while site.transport.handshakes <= number:
                    await asyncio.sleep(0)
            _, writer = await site.connect()
            await site.counted(1)
            with pytest.raises((OSError, asyncio.IncompleteReadError)):
                await idle[0][0].readexactly(1)
            while site.transport.handshakes != 7:
                await asyncio.sleep(0)
            for _, other in [*idle, (None, writer)]:
                other.close()

    run(main(), loop)


@pytest.mark.clause("TRN-18")
def test_what_is_not_tls(tmp_path: Path, loop: LoopFactory) -> None:
    """Plain SIP on a TLS port ends that connection only, and more connections than the limits are refused."""

    async def main() -> None:
        async with tls_site(tmp_path, limits=StreamLimits(max_per_address=2)) as site:
            reader, plain = await asyncio.open_connection(*site.address)
            plain.write(message())
            with pytest.raises((OSError, asyncio.IncompleteReadError)):
                await reader.readexactly(100)
            peers = [await site.connect() for _ in range(2)]
            await site.counted(2)
            with pytest.raises((OSError, ssl.SSLError)):
                await site.connect()
            assert site.transport.connections == 2
            for _, writer in peers:
                writer.close()
            plain.close()

    run(main(), loop)


# --- targets that we connect to


def to(address: tuple[str, int], *names: str) -> Flow:
    """The flow to a neighbour that must prove one of these names."""
    return Flow(0, "tls", *address, 0, names)


@pytest.mark.clause("TRN-08", "TRN-14", "RFC 5922 7.3", "RFC 5922 7.8")
@pytest.mark.parametrize("ask", [False, True])
def test_a_target_that_is_who_it_should_be(tmp_path: Path, loop: LoopFactory, ask: bool) -> None:
    """It is asked for by name, gets our certificate if it wants one, and all requests for it on one connection."""

    async def main() -> None:
        async with tls_site(tmp_path) as site, neighbour(tmp_path / "b", PEER, ask) as peer:
            flow = to(peer.address, "peer.example")
            for number in range(3):
                site.transport.send(flow, message(str(number)))
            await peer.until(3)
            assert (peer.names, len(peer.writers)) == (["peer.example"], 1)
            assert bool(peer.shown[0]) is ask
            peer.writers[0].write(message("back"))
            await site.engine.until(lambda: site.engine.received)
            assert site.engine.received[0][1].names == ("peer.example",)

    run(main(), loop)


@pytest.mark.clause("TRN-08", "TRN-09", "RFC 5922 7.2", "RFC 5922 7.3")
@pytest.mark.parametrize(
    ("own", "wanted"),
    [
        (PEER, "other.example"),
        (PEER, "sub.peer.example"),
        (CA.issue("*.peer.example"), "sub.peer.example"),
        (CA.issue("other.example", common_name="peer.example"), "peer.example"),
        (CA.issue("peer.example", uris=("sip:other.example",)), "peer.example"),
        (EXPIRED, "peer.example"),
        (STRANGER, "peer.example"),
        (CA.issue("peer.example", usages=(ExtendedKeyUsageOID.CLIENT_AUTH,)), "peer.example"),
    ],
    ids=["other", "child", "wildcard", "common-name", "uri-wins", "expired", "other-authority", "clients-only"],
)
def test_a_target_that_is_somebody_else(tmp_path: Path, loop: LoopFactory, own: Issued, wanted: str) -> None:
    """Nothing is sent to it, and the engine hears that the flow is lost."""

    async def main() -> None:
        async with tls_site(tmp_path) as site, neighbour(tmp_path / "b", own) as peer:
            flow = to(peer.address, wanted)
            site.transport.send(flow, message())
            await site.engine.until(lambda: site.engine.lost_flows)
            assert (site.engine.lost_flows, peer.read) == ([flow], [])
            await site.counted(0)

    run(main(), loop)


@pytest.mark.clause("TRN-08", "RFC 5922 7.3")
def test_whose_authorities_vouch(tmp_path: Path, loop: LoopFactory) -> None:
    """A trunk's own authorities are believed for its names, and for no other's; a name nobody is known by has none."""

    async def main() -> None:
        other = OTHER_CA.write(tmp_path, "other")
        trunk = Trunk(
            "t", TrunkSide.NETWORK, targets=(Target("sips:peer.example", "tls", "peer.example", None),),
            tls_names=("alt.example",), tls_ca=str(other),
        )  # fmt: skip
        async with tls_site(tmp_path, trunks=(trunk,)) as site:
            async with neighbour(tmp_path / "b", STRANGER) as peer:
                site.transport.send(to(peer.address, "peer.example"), message())
                await peer.until(1)
            async with neighbour(tmp_path / "c", OTHER_CA.issue("else.example")) as peer:
                site.transport.send(to(peer.address, "else.example"), message())
                await site.engine.until(lambda: to(peer.address, "else.example") in site.engine.lost_flows)
                site.transport.send(to(peer.address), message())
                site.rig.driver.settle()
                assert to(peer.address) in site.engine.lost_flows

    run(main(), loop)


# --- reuse


@pytest.mark.clause("TRN-06", "RFC 5923 5", "RFC 5923 8.2")
def test_a_peer_that_proved_itself_takes_requests_on_its_connection(tmp_path: Path, loop: LoopFactory) -> None:
    """With alias and a certificate, requests for its address and Via port go back; its loss is the loss of those."""

    async def main() -> None:
        async with tls_site(tmp_path, client_ca=True) as site:
            reader, writer = await site.connect(PEER)
            writer.write(over_tls(5071))
            await site.engine.until(lambda: site.engine.received)
            named, nameless = to(("127.0.0.1", 5071), "x.example", "peer.example"), to(("127.0.0.1", 5071))
            for flow in (named, nameless):
                site.transport.send(flow, message(method="BYE"))
                assert await reader.readexactly(len(message(method="BYE"))) == message(method="BYE")
            writer.close()
            await site.engine.until(lambda: {named, nameless} <= set(site.engine.lost_flows))

    run(main(), loop)


@pytest.mark.clause("TRN-06", "RFC 5923 5", "RFC 5923 9.2")
@pytest.mark.parametrize(
    ("own", "alias", "wanted"),
    [(PEER, False, "peer.example"), (PEER, True, "other.example"), (None, True, "peer.example")],
    ids=["no-alias", "another", "no-certificate"],
)
def test_other_connections_of_peers_take_none(
    tmp_path: Path, loop: LoopFactory, own: Issued | None, alias: bool, wanted: str
) -> None:
    """Without alias, without a certificate, or for somebody else: a connection of our own is tried, and fails here."""

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as dead:
            port = dead.getsockname()[1]
        async with tls_site(tmp_path, client_ca=own is not None) as site:
            _, writer = await site.connect(own)
            writer.write(over_tls(port, alias))
            await site.engine.until(lambda: site.engine.received)
            flow = to(("127.0.0.1", port), wanted)
            site.transport.send(flow, message(method="BYE"))
            await site.engine.until(lambda: site.engine.lost_flows)
            assert site.engine.lost_flows == [flow]
            writer.close()

    run(main(), loop)


@pytest.mark.clause("RFC 5923 6")
def test_nobody_takes_the_place_of_another(tmp_path: Path, loop: LoopFactory) -> None:
    """A second peer that offers the address of the first gets no requests; the first one's next connection does."""

    async def main() -> None:
        async with tls_site(tmp_path, client_ca=True) as site:
            first = await site.connect(PEER)
            thief = await site.connect(CA.issue("thief.example"))
            again = await site.connect(PEER)
            for number, (_, writer) in enumerate((first, thief), 1):
                writer.write(over_tls(5071))
                await site.engine.until(lambda number=number: len(site.engine.received) == number)
            site.transport.send(to(("127.0.0.1", 5071)), message(method="BYE"))
            assert (await first[0].readexactly(4)) == b"BYE "
            again[1].write(over_tls(5071))
            await site.engine.until(lambda: len(site.engine.received) == 3)
            site.transport.send(to(("127.0.0.1", 5071)), message(method="BYE"))
            assert (await again[0].readexactly(4)) == b"BYE "
            for _, writer in (first, thief, again):
                writer.close()

    run(main(), loop)


# --- reload


@pytest.mark.clause("TRN-08")
def test_a_replaced_certificate_is_shown_to_the_next_peer(tmp_path: Path, loop: LoopFactory) -> None:
    """Files that changed and came to rest are loaded; who is connected stays; a broken file is one alarm."""

    async def main() -> None:
        async with tls_site(tmp_path) as site:
            watch = TlsWatch(lambda: site.contexts, site.make, site.use, site.rig.faults)
            site.engine.on_receive = lambda data, flow: [Send(flow, b"SIP/2.0 200 OK")]
            old = await site.connect()
            serials = [serial(old[1])]
            write(CA.issue("edge.example"), tmp_path, "edge")
            for _ in range(3):
                await watch.look()
            new = await site.connect()
            serials.append(serial(new[1]))
            (tmp_path / "edge.pem").write_bytes(b"nothing")
            for _ in range(4):
                await watch.look()
            last = await site.connect()
            serials.append(serial(last[1]))
            assert serials[0] != serials[1] == serials[2]
            assert site.rig.faults.alarms["tls-reload"] == 1
            for reader, writer in (old, new, last):
                writer.write(message())
                assert await reader.readexactly(14) == b"SIP/2.0 200 OK"
                writer.close()

    run(main(), loop)


def serial(writer: asyncio.StreamWriter) -> str:
    """The serial number of the certificate we showed."""
    certificate = writer.get_extra_info("peercert")
    return str(certificate["serialNumber"])
