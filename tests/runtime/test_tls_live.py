"""A whole call over TLS through a running proxy: a customer known by its certificate, a carrier by its name."""

import contextlib
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sipguard.runtime.clock import Clock
from sipguard.sip.framing import StreamFramer
from sipguard.testing.sti_ca import Issued
from sipguard.testing.tls_ca import TlsCa, write
from tests.runtime.live_node import NUMBER, PATIENCE, LiveNode

CONFIGURATION = """
drain_timeout = 5
[node]
name = "edge-1"
[[listener]]
transport = "tls"
bind = "127.0.0.1:{port}"
certificate = "edge.pem"
key = "edge.key"
client_ca = "ca.pem"
[tls]
ca = "ca.pem"
[admin]
bind = "127.0.0.1:{admin}"
[[trunk]]
name = "acme-pbx"
side = "customer"
account = "acme"
tls_names = ["pbx.acme.example"]
[[trunk]]
name = "carrier-a"
side = "network"
targets = ["sips:127.0.0.2:{carrier}"]
tls_names = ["sip.carrier.example"]
"""
CALLED = "+14155550199"
CA = TlsCa(Clock().unix_time())


class Stream:
    """One end of a TLS connection, message by message."""

    def __init__(self, raw: ssl.SSLSocket) -> None:
        self.raw = raw
        raw.settimeout(PATIENCE)
        self._framer = StreamFramer()
        self._messages: list[str] = []

    def receive(self, start: str) -> str:
        """The next message that starts like this; others are passed over."""
        while True:
            while not self._messages:
                octets = self.raw.recv(65_535)
                assert octets, "the connection was closed"
                self._messages = [item.decode("latin-1") for item in self._framer.feed(octets)]
            message = self._messages.pop(0)
            if message.startswith(start):
                return message

    def send(self, start: str, *rows: str) -> None:
        """A message without a body."""
        self.raw.sendall(("\r\n".join((start, *rows, "Content-Length: 0")) + "\r\n\r\n").encode("latin-1"))

    def answer(self, request: str, status: str, contact: str) -> None:
        """Answer a request; the tag is the same for the whole call."""
        kept = [
            row for row in rows_of(request) if row.lower().startswith(("via", "from", "to:", "call", "cseq", "rec"))
        ]
        rows = [f"{row};tag=carrier" if row.lower().startswith("to:") and ";tag=" not in row else row for row in kept]
        self.send(f"SIP/2.0 {status}", *rows, f"Contact: <{contact}>")


def rows_of(message: str) -> list[str]:
    """The header rows."""
    return message.partition("\r\n\r\n")[0].split("\r\n")[1:]


def routes_of(message: str) -> list[str]:
    """The Record-Route values as Route rows, in order."""
    values = [row.partition(":")[2] for row in rows_of(message) if row.lower().startswith("record-route")]
    return [f"Route: {value.strip()}" for row in values for value in row.split(",")]


class Carrier:
    """A TLS server that asks for a certificate."""

    def __init__(self, directory: Path, own: Issued) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*write(own, directory, "carrier"))
        self._context.load_verify_locations(cadata=CA.root.certificate_pem.decode())
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._listening = socket.create_server(("127.0.0.2", 0))
        self._listening.settimeout(PATIENCE)
        self.port: int = self._listening.getsockname()[1]

    def accept(self) -> Stream:
        """The proxy connects."""
        raw, _ = self._listening.accept()
        raw.settimeout(PATIENCE)
        return Stream(self._context.wrap_socket(raw, server_side=True))

    def hear(self) -> bytes:
        """The proxy connects, and goes: what it said before."""
        heard = b""
        with contextlib.suppress(OSError):
            stream = self.accept()
            while octets := stream.raw.recv(65_535):
                heard += octets
        return heard

    def close(self) -> None:
        """Listen no more."""
        self._listening.close()


@contextmanager
def secure_node(directory: Path, carrier: Carrier) -> Iterator[LiveNode]:
    """A running node with one TLS listener."""
    node = LiveNode(directory)
    write(CA.issue("edge.example"), directory, "edge")
    CA.write(directory, "ca")
    node.config.write_text(CONFIGURATION.format(port=node.port, admin=node.admin, carrier=carrier.port))
    node.fill_registry()
    try:
        node.start()
        node.wait_for("ready")
        yield node
    finally:
        node.close()
        carrier.close()


def customer(directory: Path, node: LiveNode, own: Issued) -> Stream:
    """A customer's connection."""
    context = ssl.create_default_context(cadata=CA.root.certificate_pem.decode())
    context.load_cert_chain(*write(own, directory, "customer"))
    raw = socket.create_connection(node.proxy, PATIENCE)
    return Stream(context.wrap_socket(raw, server_hostname="edge.example"))


def invite(stream: Stream, port: int, call_id: str = "tls-1") -> None:
    """The customer calls, and takes requests on its connection."""
    stream.send(
        f"INVITE sip:{CALLED}@127.0.0.1 SIP/2.0",
        f"Via: SIP/2.0/TLS 127.0.0.1:{port};branch=z9hG4bK{call_id};alias",
        "Max-Forwards: 70",
        f"From: <sip:{NUMBER}@127.0.0.1>;tag=caller",
        f"To: <sip:{CALLED}@127.0.0.1>",
        f"Call-ID: {call_id}",
        "CSeq: 1 INVITE",
        f"Contact: <sip:pbx@127.0.0.1:{port}>",
    )


@pytest.mark.clause("TRN-08", "TRN-12", "RFC 5922 7.4", "RFC 5923 8.2")
def test_a_call_and_a_reload_in_its_middle(tmp_path: Path) -> None:
    """INVITE, 200 and ACK over TLS; a new certificate by SIGHUP; the BYE still comes on the connections of the call."""
    carrier = Carrier(tmp_path, CA.issue("sip.carrier.example"))
    with secure_node(tmp_path, carrier) as node:
        pbx = customer(tmp_path, node, CA.issue("pbx.acme.example"))
        before = serial(pbx)
        invite(pbx, 5071)
        far = carrier.accept()
        request = far.receive("INVITE sip:")
        assert "\r\nVia: SIP/2.0/TLS 127.0.0.1:" in request
        assert "transport=tls" not in request.lower()
        shown = far.raw.getpeercert()
        assert shown is not None
        assert ("DNS", "edge.example") in shown["subjectAltName"]
        far.answer(request, "200 OK", f"sip:gw@127.0.0.2:{carrier.port}")
        ok = pbx.receive("SIP/2.0 200")
        to = next(row for row in rows_of(ok) if row.startswith("To:"))
        pbx.send(
            f"ACK sip:gw@127.0.0.2:{carrier.port} SIP/2.0", "Via: SIP/2.0/TLS 127.0.0.1:5071;branch=z9hG4bKack",
            "Max-Forwards: 70", f"From: <sip:{NUMBER}@127.0.0.1>;tag=caller", to, "Call-ID: tls-1", "CSeq: 1 ACK",
            *reversed(routes_of(ok)),
        )  # fmt: skip
        assert "SIP/2.0/TLS" in far.receive("ACK sip:gw@")

        write(CA.issue("edge.example"), tmp_path, "edge")
        node.signal(signal.SIGHUP)
        node.wait_for("reloaded")
        assert node.metric("sipguard_tls_certificate_expiry_timestamp_seconds{listener=") > CA.now
        again = customer(tmp_path, node, CA.issue("pbx.acme.example"))
        assert serial(again) != before

        far.send(
            "BYE sip:pbx@127.0.0.1:5071 SIP/2.0", f"Via: SIP/2.0/TLS 127.0.0.2:{carrier.port};branch=z9hG4bKbye",
            "Max-Forwards: 70", f"From: <sip:{CALLED}@127.0.0.1>;tag=carrier",
            f"To: <sip:{NUMBER}@127.0.0.1>;tag=caller", "Call-ID: tls-1", "CSeq: 1 BYE", *routes_of(request),
        )  # fmt: skip
        bye = pbx.receive("BYE sip:pbx@")
        pbx.answer(bye, "200 OK", "sip:pbx@127.0.0.1:5071")
        far.receive("SIP/2.0 200")
        node.until(lambda: [record["event"] for record in node.log.records()] == ["decision", "answer", "end"])
        assert node.metric('sipguard_messages_total{event="received",transport="tls"}') >= 5
        for stream in (pbx, far, again):
            stream.raw.close()


@pytest.mark.clause("TRN-08", "RFC 5922 7.3", "RFC 5922 7.4")
def test_strangers_on_either_side(tmp_path: Path) -> None:
    """A customer with another name is refused; a carrier with another name is never told who calls: the call fails."""
    carrier = Carrier(tmp_path, CA.issue("sip.other.example"))
    with secure_node(tmp_path, carrier) as node:
        stranger = customer(tmp_path, node, CA.issue("pbx.other.example"))
        invite(stranger, 5071, "stranger")
        stranger.receive("SIP/2.0 403")
        pbx = customer(tmp_path, node, CA.issue("pbx.acme.example"))
        invite(pbx, 5072, "tls-2")
        assert carrier.hear() == b""
        pbx.receive("SIP/2.0 500")
        assert "sip.other.example" in node.wait_for("stream.unreachable")["detail"]
        for stream in (stranger, pbx):
            stream.raw.close()


def serial(stream: Stream) -> str:
    """The serial number of the certificate the proxy showed."""
    certificate = stream.raw.getpeercert()
    assert certificate is not None
    return str(certificate["serialNumber"])
