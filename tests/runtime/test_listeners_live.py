"""Listeners of every kind in one process, and a thousand sockets that only sit there."""

import contextlib
import resource
import socket
import ssl
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from websockets import Subprotocol
from websockets.sync.client import connect

from sipguard.runtime.clock import Clock
from sipguard.sip.stun import binding_response
from sipguard.testing.tls_ca import TlsCa, write
from tests.runtime.live_node import NUMBER, PATIENCE, LiveNode, free_port

pytestmark = pytest.mark.live

CA = TlsCa(Clock().unix_time())
LISTENER = '[[listener]]\ntransport = "{transport}"\nbind = "{bind}:{port}"\n{more}'
SIX = '[[trunk]]\nname = "six"\nside = "customer"\naccount = "acme"\nsources = ["::1"]\n'
CROWD = '[[trunk]]\nname = "tcp"\nside = "customer"\naccount = "acme"\nsources = ["127.0.0.9"]\n'
CERTIFICATE = 'certificate = "edge.pem"\nkey = "edge.key"\n'
ADVERTISED = "edge.example.com:5066"
STUN = bytes.fromhex("000100002112a442b7e7a701bc34d686fa87dfae")


class Place(NamedTuple):
    """A listener: what it speaks, the address it is bound to, where to reach it, and what it is called."""

    transport: str
    bind: str
    host: str
    more: str = ""

    @property
    def name(self) -> str:
        """The host that a URI of it has."""
        return "edge.example.com" if ADVERTISED in self.more else f"[{self.host}]" if ":" in self.host else self.host


PLACES = [
    Place("udp", "127.0.0.1", "127.0.0.1", f'advertise = "{ADVERTISED}"\n'),
    Place("udp", "127.0.0.4", "127.0.0.4"),
    Place("udp", "[::1]", "::1"),
    Place("udp", "[::ffff:127.0.0.5]", "127.0.0.5", 'advertise = "127.0.0.5:{port}"\n'),
    Place("tcp", "127.0.0.4", "127.0.0.4"),
    Place("tcp", "[::1]", "::1"),
    Place("tcp", "[::ffff:127.0.0.5]", "127.0.0.5", 'advertise = "127.0.0.5:{port}"\n'),
    Place("tls", "127.0.0.1", "127.0.0.1", CERTIFICATE),
    Place("ws", "127.0.0.1", "127.0.0.1"),
    Place("wss", "[::1]", "::1", CERTIFICATE),
]


class Wire:
    """One client's way to a listener: octets out, octets in."""

    def __init__(self, place: Place, port: int, stack: contextlib.ExitStack) -> None:
        self.place = place
        address = (place.host, port)
        family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
        kind = socket.SOCK_DGRAM if place.transport == "udp" else socket.SOCK_STREAM
        raw = socket.socket(family, kind)
        raw.settimeout(PATIENCE)
        raw.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        raw.connect(address)
        self.own: tuple[str, int] = raw.getsockname()[:2]
        context = ssl.create_default_context(cadata=CA.root.certificate_pem.decode())
        if place.transport in ("ws", "wss"):
            secure = {"ssl": context, "server_hostname": "edge.example.com"} if place.transport == "wss" else {}
            url = f"{place.transport}://edge.example.com:{port}/"
            opened = connect(url, sock=raw, subprotocols=[Subprotocol("sip")], proxy=None, **secure)  # type: ignore[arg-type]
            page = stack.enter_context(opened)
            self.send, self.receive = lambda data: page.send(data.decode()), lambda: str(page.recv(PATIENCE)).encode()
            return
        raw = stack.enter_context(
            context.wrap_socket(raw, server_hostname="edge.example.com") if place.transport == "tls" else raw
        )
        self.send, self.receive = raw.sendall, lambda: raw.recv(65_535)


def options(place: Place, port: int) -> bytes:
    """Whether it lives."""
    shown = 5066 if ADVERTISED in place.more else port
    transport = {"udp": "", "tls": "", "wss": ";transport=ws"}.get(place.transport, f";transport={place.transport}")
    rows = (
        f"OPTIONS sip:{place.name}:{shown}{transport} SIP/2.0",
        f"Via: SIP/2.0/{place.transport.upper()} client.invalid;branch=z9hG4bK{port};rport",
        "From: <sip:client.invalid>;tag=1", f"To: <sip:{place.name}>", f"Call-ID: {port}", "CSeq: 1 OPTIONS",
        "Max-Forwards: 70", "Content-Length: 0", "", "",
    )  # fmt: skip
    return "\r\n".join(rows).encode()


@pytest.fixture(scope="module")
def ports() -> list[int]:
    """A port for each place."""
    return [free_port() for _ in PLACES]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, ports: list[int]) -> Iterator[LiveNode]:
    """A process with all of them."""
    directory = tmp_path_factory.mktemp("listeners")
    write(CA.issue("edge.example.com"), directory, "edge")
    sections = [
        LISTENER.format(transport=place.transport, bind=place.bind, port=port, more=place.more.format(port=port))
        for place, port in zip(PLACES, ports, strict=True)
    ]
    running = LiveNode(directory)
    running.write_configuration("\n".join((*sections, SIX, CROWD)))
    running.fill_registry()
    try:
        running.start()
        running.wait_for("ready")
        yield running
    finally:
        running.close()


@pytest.mark.clause("TRN-01", "TRN-15", "TRN-17", "TRN-20", "PRX-35", "RFC 5626 4.4")
@pytest.mark.parametrize("number", range(len(PLACES)), ids=lambda number: f"{PLACES[number].transport}-{number}")
def test_every_listener(node: LiveNode, ports: list[int], number: int) -> None:
    """Each answers OPTIONS to its own address with where it came from, a mapped address in IPv4 form, and keep-alives:
    a double CRLF over streams, STUN over UDP."""
    place, port = PLACES[number], ports[number]
    with contextlib.ExitStack() as stack:
        wire = Wire(place, port, stack)
        wire.send(options(place, port))
        answer = wire.receive().decode()
        assert answer.startswith("SIP/2.0 200 ")
        assert f";rport={wire.own[1]};received={wire.own[0]}\r\n" in answer
        if place.transport == "udp":
            wire.send(STUN)
            assert wire.receive() == binding_response(STUN, *wire.own)
        else:
            wire.send(b"\r\n\r\n")
            assert wire.receive() == b"\r\n"


@pytest.mark.clause("PRX-08", "PRX-14", "RFC 3261 18.1.1")
def test_an_advertised_address(node: LiveNode, ports: list[int]) -> None:
    """A call by a listener behind a NAT of ours: Via and Record-Route name the address others reach, and no other."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as pbx:
        pbx.settimeout(PATIENCE)
        pbx.bind(("127.0.0.1", 0))
        here = f"127.0.0.1:{pbx.getsockname()[1]}"
        rows = (
            f"INVITE sip:+14155550199@{ADVERTISED} SIP/2.0", f"Via: SIP/2.0/UDP {here};branch=z9hG4bKadv;rport",
            f"From: <sip:{NUMBER}@pbx>;tag=1", "To: <sip:+14155550199@edge>", "Call-ID: advertised", "CSeq: 1 INVITE",
            "Max-Forwards: 70", f"Contact: <sip:{here}>", "Content-Length: 0", "", "",
        )  # fmt: skip
        pbx.sendto("\r\n".join(rows).encode(), ("127.0.0.1", ports[0]))
        invite = node.carrier.receive("INVITE")
        assert invite.count(ADVERTISED) == 2
        assert f"Via: SIP/2.0/UDP {ADVERTISED};" in invite
        assert f"Record-Route: <sip:{ADVERTISED};lr;" in invite
        assert f"127.0.0.1:{ports[0]}" not in invite
        node.carrier.answer(invite, "486 Busy Here", ("127.0.0.1", ports[0]))
        while not pbx.recv(65_535).startswith(b"SIP/2.0 486 "):
            pass


@pytest.mark.clause("TRN-18")
@pytest.mark.parametrize("number", [4, 7, 8], ids=["tcp", "tls", "ws"])
def test_a_thousand_idle_sockets(node: LiveNode, ports: list[int], number: int) -> None:
    """They come from eight addresses and take every connection and handshake there may be; a customer who comes then is
    served at once, and so is a customer who had spoken before."""
    place, port = PLACES[number], ports[number]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 4096), hard), hard))
    with contextlib.ExitStack() as stack:
        before = Wire(place, port, stack)
        before.send(options(place, port))
        before.receive()
        for at in range(1000):
            idle = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            idle.bind((f"127.0.2.{1 + at % 8}", 0))
            idle.connect((place.host, port))
        node.until(lambda: node.metric("sipguard_connections") >= (990 if place.transport != "tls" else 1))
        after = Wire(place, port, stack)
        after.send(options(place, port))
        assert after.receive().startswith(b"SIP/2.0 200 ")
        before.send(b"\r\n\r\n")
        assert before.receive() == b"\r\n"
    node.until(lambda: node.metric("sipguard_connections") == 0)
