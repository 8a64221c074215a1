"""Browsers, and others nobody can dial, at a real proxy process: calls to a SIPp carrier, and bad handshakes."""

import os
import shutil
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from websockets import InvalidStatus

from scenarios import topology
from scenarios.driver import Agent, Stage, free_port
from scenarios.node import Node
from scenarios.topology import Certificates
from sipguard.runtime.clock import Clock
from sipguard.testing.tls_ca import TlsCa, write
from tests.live.caller import HOST, PATIENCE, SDP, Browser, Caller, Program, header, headers, routes_of
from tests.live.kit import stored
from tests.runtime.test_websocket_session import REFUSALS

pytestmark = [
    pytest.mark.live,
    pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated"),  # pysipp's logger
    pytest.mark.skipif(shutil.which("sipp") is None, reason="SIPp is not installed"),
]

ORIGIN = "https://phone.example.com"
NAME = "edge.example.com"
HIDDEN = "127.0.0.24"  # a customer behind a NAT
CONFIGURATION = """
[[listener]]
transport = "ws"
bind = "127.0.0.1:{ws}"
origins = ["{origin}"]
[[listener]]
transport = "wss"
bind = "127.0.0.1:{wss}"
advertise = "{name}:{wss}"
certificate = "edge.pem"
key = "edge.key"
origins = ["{origin}"]
[[listener]]
transport = "tcp"
bind = "127.0.0.1:{tcp}"
[stir.sign.certificates.default]
certificate = "{own}/chain.pem"
key = "{own}/leaf.key"
url = "https://certificates.example/leaf.pem"
"""


class Site(NamedTuple):
    """A running proxy with its one carrier, and what a browser needs to trust it."""

    node: Node
    carrier: Agent
    leads: bool  # whether the carrier does
    ports: dict[str, int]
    authority: TlsCa

    @property
    def trust(self) -> ssl.SSLContext:
        """What a browser believes in."""
        return ssl.create_default_context(cadata=self.authority.root.certificate_pem.decode())

    def shown(self) -> int:
        """The serial number of the certificate that who connects is shown."""
        with (
            socket.create_connection(("127.0.0.1", self.ports["wss"]), PATIENCE) as raw,
            self.trust.wrap_socket(raw, server_hostname=NAME) as secure,
        ):
            certificate = secure.getpeercert()
        assert certificate is not None
        return int(str(certificate["serialNumber"]), 16)

    def reloads(self) -> int:
        """How many there were."""
        return sum(entry["event"] == "reloaded" for entry in self.node.log_events())

    def browser(self, scheme: str, origin: str | None = ORIGIN) -> Browser:
        """A page connects."""
        address = ("127.0.0.1", self.ports[scheme])
        context = self.trust if scheme == "wss" else None
        return Browser(f"{scheme}://{NAME}:{address[1]}/sip", address, context, origin)

    def end(self, call_id: str) -> dict[str, object]:
        """The record that closes a call; it is written when the batch is over that the BYE came in."""
        deadline = time.monotonic() + PATIENCE
        while True:
            records = stored(self.node)
            (identifier,) = [r["id"] for r in records if r["event"] == "decision" and r["call_id"] == call_id]
            found = [dict(r) for r in records if r["event"] == "end" and r["id"] == identifier]
            if found:
                return found[0]
            assert time.monotonic() < deadline, "the call was not closed"
            time.sleep(0.01)


@pytest.fixture(scope="module", params=["carrier_uas", "leading_uas"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, certificates: Certificates, registry: Path
) -> Iterator[Site]:
    """The proxy; it must end cleanly and without a traceback. The carrier waits for the BYE, or leads."""
    directory = tmp_path_factory.mktemp("websocket")
    with Stage(directory / "sipp") as stage, Node(directory / "node") as node:
        carrier = stage.server(request.param, topology.CONVERSATIONAL, hold=50)
        ports = {name: free_port("127.0.0.1", "tcp") for name in ("ws", "wss", "tcp")}
        authority = TlsCa(Clock().unix_time())
        write(authority.issue(NAME), node.directory, "edge")
        sections = CONFIGURATION.format(origin=ORIGIN, name=NAME, own=certificates.own, **ports)
        carrier_trunk = f'[[trunk]]\nname = "carrier"\nside = "network"\ntargets = ["{carrier.uri}"]\n'
        web = topology.trunk("web", "customer", topology.ACME, 'account = "acme"')
        hidden = topology.trunk("hidden", "customer", HIDDEN, 'account = "acme"', "behind_nat = true")
        node.configure(sections + web + hidden + carrier_trunk)
        shutil.copy(registry, node.registry)
        node.start()
        yield Site(node, carrier, request.param == "leading_uas", ports, authority)
        assert node.stop() == 0
        assert "Traceback" not in node.log.read_text()


@pytest.mark.clause("TRN-15", "TRN-16", "EXT-09", "RFC 7118 8")
@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_a_call_from_a_browser(site: Site, scheme: str) -> None:
    """INVITE, ACK and BYE of a page reach a carrier over UDP, signed; a carrier that leads reaches the page with
    re-INVITE and BYE on the page's own connection, though its Contact and Via name nobody."""
    call_id = f"{scheme}-{site.leads}"
    with site.browser(scheme) as page, site.browser(scheme) as other:
        other.keep_alive()
        page.keep_alive()
        page.invite(call_id)
        page.receive("SIP/2.0 180")
        answer = page.receive("SIP/2.0 200")
        (via,) = headers(answer, "Via")
        assert via.startswith(f"SIP/2.0/{scheme.upper()} {HOST};")
        assert f";received={topology.ACME}" in via
        host = NAME if scheme == "wss" else "127.0.0.1"
        ours = f"@{host}:{site.ports[scheme]};transport=ws;lr;dialog="
        assert [ours in route for route in routes_of(answer)] == [False, True]
        via = talk(site, page, answer)
        assert not via or via.startswith(f"SIP/2.0/{scheme.upper()} {host}:{site.ports[scheme]};branch=")
        other.keep_alive()  # nothing else came there
    invite, bye = site.carrier.received("INVITE", call_id), site.carrier.received("BYE", call_id)
    assert invite is not None
    assert (bye is None) == site.leads
    assert invite.headers("Identity") != []
    assert invite.headers("Via")[0].startswith("SIP/2.0/UDP 127.0.0.1:")
    end = site.end(call_id)
    assert (end["code"], end["answered"], end["released_by"]) == (200, True, "called" if site.leads else "caller")


@pytest.mark.clause("TRN-08", "TRN-15")
def test_a_new_certificate_in_the_middle_of_a_call(site: Site) -> None:
    """A reload replaces the certificate of wss: the call goes on and ends, and who comes next is shown the new one."""
    with site.browser("wss") as page:
        page.invite(f"renewed-{site.leads}")
        answer = page.receive("SIP/2.0 200")
        before = site.shown()
        write(site.authority.issue(NAME), site.node.directory, "edge")
        reloads = site.reloads()
        os.kill(site.node.process_id, signal.SIGHUP)
        deadline = time.monotonic() + PATIENCE
        while site.reloads() == reloads:
            assert time.monotonic() < deadline, site.node.log.read_text()
            time.sleep(0.01)
        assert site.shown() != before
        talk(site, page, answer)
    assert site.end(f"renewed-{site.leads}")["answered"]


def talk(site: Site, caller: Caller, answer: str) -> str:
    """From the 200 to the end; what the Via of the carrier's re-INVITE said, when it leads."""
    target, routes = caller.accept(answer)
    if not site.leads:
        caller.request("BYE", target, *routes)
        caller.receive("SIP/2.0 200")
        return ""
    change = caller.receive("INVITE sip:x7hq@")
    caller.answer(change, "200 OK", SDP)
    caller.receive("ACK sip:x7hq@")
    caller.answer(caller.receive("BYE sip:x7hq@"), "200 OK")
    return header(change, "Via")


@pytest.mark.clause("EXT-09", "RFC 5626 5.3")
@pytest.mark.parametrize(
    ("transport", "source", "parameters"),
    [("tcp", topology.ACME, ";transport=tcp;ob"), ("tcp", HIDDEN, ";transport=tcp"), ("udp", HIDDEN, "")],
)
def test_a_call_from_behind_a_nat(site: Site, transport: str, source: str, parameters: str) -> None:
    """A program whose Contact leads nowhere: over TCP with ob, or of a trunk behind a NAT, requests of a carrier that
    leads reach it on its own flow, while another program of the same address hears nothing."""
    call_id = f"{transport}-{source}-{site.leads}"
    proxy = site.node.address if transport == "udp" else ("127.0.0.1", site.ports["tcp"])
    with Program(transport, source, proxy, parameters) as other, Program(transport, source, proxy, parameters) as one:
        one.invite(call_id)
        via = talk(site, one, one.receive("SIP/2.0 200"))
        assert not via or via.startswith(f"SIP/2.0/{transport.upper()} 127.0.0.1:")
        other.request("OPTIONS", f"sip:127.0.0.1:{proxy[1]};transport={transport}")
        assert other.hear().startswith("SIP/2.0 200 ")
    end = site.end(call_id)
    assert (end["code"], end["answered"], end["released_by"]) == (200, True, "called" if site.leads else "caller")


@pytest.mark.clause("TRN-15", "RFC 7118 4.1", "RFC 6455 4.2.1", "RFC 6455 10.2")
@pytest.mark.parametrize(("octets", "status"), REFUSALS)
def test_a_bad_handshake(site: Site, octets: bytes, status: int) -> None:
    """The status that says why, then the end of the connection; pages go on connecting."""
    with socket.create_connection(("127.0.0.1", site.ports["ws"]), 5) as raw:
        raw.sendall(octets)
        heard = b""
        while piece := raw.recv(4096):
            heard += piece
    assert heard.startswith(f"HTTP/1.1 {status} ".encode())
    with site.browser("ws") as page:
        page.keep_alive()


@pytest.mark.clause("TRN-15", "RFC 6455 10.2")
def test_pages_that_are_not_listed(site: Site) -> None:
    """A browser acting for a page of somebody else is refused; who is no browser says no Origin, and passes."""
    for scheme in ("ws", "wss"):
        with pytest.raises(InvalidStatus) as caught, site.browser(scheme, "https://evil.example"):
            pass
        assert caught.value.response.status_code == 403
        with site.browser(scheme, None) as program:
            program.keep_alive()
