"""Who we are: which hosts and ports mean this proxy, and which listener a message leaves from."""

import pytest

from sipguard.proxy.identity import ProxyIdentity
from sipguard.sip.flow import Flow, Listener
from sipguard.sip.uri import SipUri, parse_uri

UDP = Listener(0, "udp", "10.0.0.1", 5060, "edge.example.com", 5070)
OTHER = Listener(1, "udp", "10.0.0.2", 5060, "10.0.0.2", 5060)
TCP = Listener(2, "tcp", "10.0.0.1", 5060, "edge.example.com", 5070)
SIX = Listener(3, "udp", "2001:db8::1", 5060, "[2001:db8::1]", 5060)
TLS = Listener(4, "tls", "10.0.0.1", 5061, "edge.example.com", 5061)
US = ProxyIdentity((UDP, OTHER, TCP, SIX, TLS))


def sip(text: str) -> SipUri:
    """A SIP URI."""
    uri = parse_uri(text)
    assert isinstance(uri, SipUri)
    return uri


@pytest.mark.clause("RFC 3261 16.4", "PRX-05")
@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("sip:10.0.0.1", True), ("sip:10.0.0.1:5060", True), ("sip:EDGE.example.com:5070", True),
        ("sip:x@[2001:DB8::1]", True), ("sip:edge.example.com", False), ("sip:10.0.0.1:5062", False),
        ("sips:x@10.0.0.1", True), ("sips:10.0.0.1:5062", False),
        ("sip:edge.example.com;transport=TLS", True), ("sip:edge.example.com:5061", True),
        ("sip:10.0.0.11", False),
    ],
)  # fmt: skip
def test_what_means_us(text: str, ours: bool) -> None:
    """Bound and advertised addresses are ours with their own port, 5060 when none is written."""
    assert US.means_us(sip(text)) is ours


@pytest.mark.clause("PRX-09", "PRX-18")
@pytest.mark.parametrize(
    ("text", "listener"),
    [
        ("sip:10.0.0.1", UDP), ("sip:edge.example.com:5070;transport=TCP", TCP), ("sip:10.0.0.2", OTHER),
        ("sip:[2001:db8::1]:5060", SIX), ("sip:10.0.0.2;transport=tcp", None), ("sip:10.0.0.2;transport=tls", None),
        ("sip:10.0.0.1;transport=tls", TLS), ("sips:edge.example.com", TLS), ("sip:edge.example.com:5061;lr", TLS),
        ("sips:10.0.0.1;transport=tcp", TLS), ("sip:10.0.0.1:5061;transport=udp", None),
    ],
)  # fmt: skip
def test_which_listener_a_uri_names(text: str, listener: Listener | None) -> None:
    """Address and transport both count: two listeners with one port on two addresses are not mixed up."""
    assert US.listener_of(sip(text)) is listener


@pytest.mark.clause("PRX-09", "PRX-18")
def test_which_listener_sends() -> None:
    """The preferred one where it fits, else the first with the transport and the address family of the target."""
    assert US.egress("udp", "192.0.2.1", 1) is OTHER
    assert US.egress("udp", "192.0.2.1", 3) is UDP
    assert US.egress("tcp", "192.0.2.1", 1) is TCP
    assert US.egress("udp", "2001:db8::9", 0) is SIX
    assert US.egress("tcp", "2001:db8::9", 0) is None
    assert US.egress("tls", "192.0.2.1", 0) is TLS
    assert US.egress("tls", "2001:db8::9", 0) is None


def test_where_a_message_arrived() -> None:
    """A flow names its listener."""
    assert US.arrived_on(Flow(2, "tcp", "192.0.2.9", 40000, 5)) is TCP
    assert US.sent_by == ("edge.example.com:5070", "10.0.0.2:5060", "edge.example.com:5070", "[2001:db8::1]:5060",
                          "edge.example.com:5061")  # fmt: skip


WS, WSS = (
    Listener(0, "ws", "10.0.0.1", 80, "edge.example.com", 80),
    Listener(1, "wss", "10.0.0.1", 443, "edge.example.com", 443),
)


@pytest.mark.clause("TRN-15", "TRN-16", "RFC 7118 5.2.2", "RFC 7118 5.3")
@pytest.mark.parametrize(
    ("text", "listener"),
    [
        ("sip:edge.example.com;transport=ws", WS),
        ("sip:edge.example.com:80;transport=WS", WS),
        ("sip:edge.example.com:443;transport=ws", WSS),
        ("sip:edge.example.com;transport=wss", WSS),
        ("sips:edge.example.com;transport=ws", WSS),
        ("sip:10.0.0.1:443;transport=ws", WSS),
        ("sip:edge.example.com:443;transport=tcp", None),
        ("sips:edge.example.com:443", None),
    ],
)
def test_websockets(text: str, listener: Listener | None) -> None:
    """ws in a URI is either kind, as the port or sips says; a request is sent from one only on a flow it has."""
    own = ProxyIdentity((WS, WSS))
    assert own.listener_of(sip(text)) is listener
    assert own.egress("ws", "192.0.2.9", 0) is None
    assert own.egress("wss", "192.0.2.9", 1) is None
    assert own.egress("wss", "192.0.2.9", 0, Flow(1, "wss", "192.0.2.9", 40000, 7)) is WSS
