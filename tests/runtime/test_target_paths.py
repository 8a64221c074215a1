"""A running proxy towards targets by name, of other sizes than a datagram's, and that come and go."""

import socket
from pathlib import Path

import pytest

from tests.runtime.live_node import PATIENCE, live_node
from tests.runtime.name_server import name_server

pytestmark = [pytest.mark.live, pytest.mark.timeout(90)]

CALLED = "INVITE sip:+14155550199@"
PROBING = """
[health]
probe_interval = 0.1
down_after = 2
"""
BY_NAME = """
[[trunk]]
name = "carrier-b"
side = "network"
targets = ["sip:{host}"]
classes = ["dialer", "emergency"]
[dns]
servers = ["127.0.0.1:{port}"]
timeout = 1.0
"""
MOVING = """
[[trunk]]
name = "moving-pbx"
side = "customer"
account = "acme"
sources = ["127.0.0.3"]
[dns]
servers = ["127.0.0.1:{port}"]
"""
MOVED = "\r\n".join((
    "INVITE sip:+14155550199@{host} SIP/2.0", "Via: SIP/2.0/TCP pbx.test;branch=z9hG4bKmoved",
    "From: <sip:+14155550100@pbx.test>;tag=a", "To: <sip:+14155550199@{host}>", "Call-ID: moved@pbx.test",
    "CSeq: 1 INVITE", "Contact: <sip:pbx.test>", "Max-Forwards: 70", "Content-Length: 0", "", "",
))  # fmt: skip
LARGE = f"X-Padding: {'x' * 1300}"


@pytest.mark.clause("FRK-10", "FRK-11")
def test_a_target_by_name(tmp_path: Path) -> None:
    """NAPTR, SRV and A records lead an emergency call to the port the name server says."""
    with name_server() as names:
        names.add("carrier.test", "NAPTR", '10 10 "s" "SIP+D2U" "" _sip._udp.carrier.test.')
        names.add("edge.test", "A", "127.0.0.2")
        more = BY_NAME.format(host="carrier.test", port=names.port) + '[policy.emergency]\nunprovisioned = "route"\n'
        with live_node(tmp_path, more) as node:
            names.add("_sip._udp.carrier.test", "SRV", f"0 0 {node.carrier.port} edge.test.")
            request = node.call(node.customer, "help", "+14155550100", "911")
            assert request
            invite = node.carrier.receive("INVITE sip:911@carrier.test")
            node.carrier.answer(invite, "486 Busy Here", node.proxy)
            assert "486" in node.customer.receive("SIP/2.0 486")
            assert [kind for _, kind in names.asked] == ["NAPTR", "SRV", "A"]


@pytest.mark.clause("FRK-14", "PRX-19", "RFC 3263 5")
def test_a_caller_whose_connection_is_gone(tmp_path: Path) -> None:
    """Its Via is a name without a port: nobody listens where it came from, so SRV says where the 486 goes."""
    with name_server() as names, socket.create_server(("127.0.0.3", 0)) as listening:
        listening.settimeout(PATIENCE)
        names.add("_sip._tcp.pbx.test", "SRV", f"0 0 {listening.getsockname()[1]} host.test.")
        names.add("host.test", "A", "127.0.0.3")
        with live_node(tmp_path, MOVING.format(port=names.port)) as node:
            with socket.create_connection(node.proxy, PATIENCE, ("127.0.0.3", 0)) as stream:
                stream.sendall(MOVED.format(host=node.proxy[0], port=node.port).encode())
                invite = node.carrier.receive(CALLED)
            node.until(lambda: node.metric("sipguard_connections") == 0)
            node.carrier.answer(invite, "486 Busy Here", node.proxy)
            answered, _ = listening.accept()
            with answered:
                answered.settimeout(PATIENCE)
                assert answered.recv(65_535).startswith(b"SIP/2.0 486")
            assert names.asked[0] == ("_sip._tcp.pbx.test", "SRV")


@pytest.mark.clause("TRN-02", "TRN-03", "RFC 3261 18.1.1")
def test_a_large_request_and_a_carrier_without_tcp(tmp_path: Path) -> None:
    """Nobody listens on TCP there: the INVITE comes by UDP at once."""
    with live_node(tmp_path) as node:
        node.carrier.socket.settimeout(3)
        node.call(node.customer, "large", "+14155550100", "+14155550199", LARGE)
        invite = node.carrier.receive(CALLED)
        assert len(invite) > 1300
        assert "Via: SIP/2.0/UDP" in invite
        assert node.metric('sipguard_messages_total{event="failed",transport="tcp"}') == 1


@pytest.mark.clause("TRN-02", "TRN-03", "RFC 3261 18.1.1")
def test_a_large_request_and_a_carrier_with_tcp(tmp_path: Path) -> None:
    """The same place listens on TCP: the INVITE comes there, its Via says so, and the answer goes back the same way."""
    with live_node(tmp_path) as node, socket.create_server((node.carrier.host, node.carrier.port)) as listening:
        listening.settimeout(PATIENCE)
        node.call(node.customer, "large", "+14155550100", "+14155550199", LARGE)
        stream, _ = listening.accept()
        with stream:
            stream.settimeout(PATIENCE)
            invite = b""
            while b"\r\n\r\n" not in invite:
                invite += stream.recv(65_535)
            text = invite.decode("latin-1")
            assert text.startswith(CALLED)
            assert "Via: SIP/2.0/TCP" in text
            stream.sendall(node.carrier.answer_text(text, "486 Busy Here"))
            assert node.customer.receive("SIP/2.0 486")


def test_probes_of_a_running_proxy(tmp_path: Path) -> None:
    """OPTIONS arrive without any call; a carrier that does not answer is down in log and metrics, then up again."""
    with live_node(tmp_path, PROBING) as node:
        down = 'sipguard_target_up{target="sip:127.0.0.2'
        node.carrier.receive("OPTIONS sip:127.0.0.2:")
        assert node.wait_for("target.down")["target"].startswith("udp:127.0.0.")
        node.until(lambda: node.metric(down) == 0)
        while not any(line["event"] == "target.up" for line in node.lines):
            node.carrier.answer(node.carrier.receive("OPTIONS"), "200 OK", node.proxy)
        node.until(lambda: node.metric(down) == 1)
