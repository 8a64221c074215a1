"""The steps of request forwarding, each by itself."""

import pytest

from sipguard.policy.trunk import Target
from sipguard.proxy import forwarding
from sipguard.sip.flow import Listener
from sipguard.sip.uri import parse_uri
from tests.sip.messages import request

UDP = Listener(0, "udp", "192.0.2.1", 5060, "edge.example.com", 5060)
TCP = Listener(1, "tcp", "192.0.2.1", 5060, "edge.example.com", 5061)
TLS = Listener(2, "tls", "192.0.2.1", 5061, "edge.example.com", 5061)


@pytest.mark.clause("MSG-18", "MSG-19", "RFC 3261 16.6 (3)")
@pytest.mark.parametrize(("before", "after"), [("70", "69"), ("1", "0"), ("0068", "67"), ("255", "254"), (None, "70")])
def test_max_forwards(before: str | None, after: str) -> None:
    """One less than it was, 70 where there was none."""
    fork = request(max_forwards=before).fork()
    forwarding.decrement_hops(fork)
    assert fork.values("max-forwards") == [after]


@pytest.mark.clause("PRX-11", "PRX-04", "PRX-28", "TRN-11", "TRN-12", "MSG-15", "EMG-02", "PRV-16")
@pytest.mark.parametrize(
    ("uri", "host", "port", "transport", "number", "expected"),
    [
        ("sip:+1212@old;user=phone", "10.0.0.9", 5060, "udp", None, "sip:+1212@10.0.0.9;user=phone"),
        ("sip:1-212@old", "10.0.0.9", 5070, "tcp", "+1212", "sip:+1212@10.0.0.9:5070;transport=tcp"),
        ("sip:1212;npdi;isub=1;rn=+1@old", "h.example", 5060, "udp", "+1212", "sip:+1212;isub=1@h.example"),
        ("sip:1;npdi;rn=+2@old", "h.example", 5060, "udp", None, "sip:1;npdi;rn=+2@h.example"),
        ("sip:a@old;gr=urn:uuid:1;ob;maddr=x", "h.example", 5060, "udp", None, "sip:a@h.example;gr=urn:uuid:1;ob"),
        ("sips:a@old", "2001:db8::1", 5060, "udp", None, "sip:a@[2001:db8::1]"),
        ("sips:a@old", "h.example", 5061, "tls", None, "sips:a@h.example"),
        ("sips:a@old;transport=tls", "h.example", 5071, "tls", None, "sips:a@h.example:5071"),
        ("sip:a@old;transport=tls", "h.example", 5061, "tls", None, "sip:a@h.example:5061"),
        ("tel:+1-212", "h.example", 5061, "tls", None, "sip:+1-212@h.example:5061;user=phone"),
        ("tel:+1-212;ext=5", "h.example", 5060, "udp", "+1212", "sip:+1212@h.example;user=phone"),
        ("tel:911;phone-context=+1", "h.example", 5060, "udp", None, "sip:911@h.example;user=phone"),
        ("sip:old", "h.example", 5060, "udp", None, "sip:h.example"),
        ("sip:a@old?Route=x", "h.example", 5060, "udp", None, "sip:a@h.example"),
        ("urn:service:sos", "h.example", 5060, "udp", None, "urn:service:sos"),
    ],
)
def test_the_request_uri(uri: str, host: str, port: int, transport: str, number: str | None, expected: str) -> None:
    """The user (or the canonical number) at the target's place, with the parameters that are the callee's."""
    assert forwarding.retargeted(parse_uri(uri), Target("", transport, host, port), number) == expected


@pytest.mark.clause("PRX-08", "PRX-09")
def test_record_route() -> None:
    """One value between like listeners, two between different ones, before what was there."""
    fork = request("Record-Route: <sip:before.example;lr>").fork()
    forwarding.record_route(fork, UDP, UDP, "t")
    assert fork.listed("record-route") == ["<sip:edge.example.com:5060;lr;dialog=t>", "<sip:before.example;lr>"]
    fork = request().fork()
    forwarding.record_route(fork, UDP, TCP, "t")
    assert fork.listed("record-route") == [
        "<sip:edge.example.com:5061;transport=tcp;lr;dialog=t>",
        "<sip:edge.example.com:5060;lr;dialog=t>",
    ]


@pytest.mark.clause("TRN-11", "TRN-12", "RFC 3261 16.6 (4)", "RFC 5630 5.3")
@pytest.mark.parametrize(
    ("uri", "told", "expected"),
    [
        ("sip:b@h", False, "<sip:edge.example.com:5061;lr;dialog=t>"),
        ("tel:+1212", False, "<sip:edge.example.com:5061;lr;dialog=t>"),
        ("SIPS:b@h", False, "<sips:edge.example.com:5061;lr;dialog=t>"),
        ("sips:b@h", True, "<sips:edge.example.com:5061;lr;dialog=t>"),
        ("sip:b@h", True, "<sip:edge.example.com:5061;transport=tls;lr;dialog=t>"),
    ],
)
def test_record_route_over_tls(uri: str, told: bool, expected: str) -> None:
    """sips exactly when the Request-URI is; transport=tls only where the operator says the neighbours need it."""
    fork = request(uri=uri).fork()
    listener = TLS._replace(parameter=told)
    forwarding.record_route(fork, listener, listener, "t")
    assert fork.listed("record-route") == [expected]


@pytest.mark.clause("TRN-11", "RFC 3261 16.6 (4)")
def test_a_side_without_tls_is_never_recorded_as_sips() -> None:
    """What came over UDP can only come back over UDP, whatever the Request-URI wished."""
    fork = request(uri="sips:b@h").fork()
    forwarding.record_route(fork, UDP, TLS, "t")
    assert fork.listed("record-route")[1] == "<sip:edge.example.com:5060;lr;dialog=t>"


@pytest.mark.clause("RFC 5923 8.1")
def test_our_via_over_tls() -> None:
    """Over TLS the Via says so, and offers the connection for requests in the other direction."""
    fork = request().fork()
    forwarding.push_via(fork, TLS, "00ff")
    assert fork.listed("via")[0].startswith("SIP/2.0/TLS edge.example.com:5061;branch=z9hG4bK00ff")
    assert "alias" in fork.via.parameters


@pytest.mark.clause("PRX-01", "RFC 3261 16.6 (8)")
def test_our_via() -> None:
    """On top of the others, with the advertised place, the magic cookie, the entropy, and rport."""
    fork = request().fork()
    forwarding.push_via(fork, TCP, "00ff")
    assert fork.listed("via")[0].startswith("SIP/2.0/TCP edge.example.com:5061;branch=z9hG4bK00ff")
    assert fork.via.has_rport
    assert len(fork.listed("via")) == 2


@pytest.mark.clause("PRX-27")
def test_framing() -> None:
    """A missing Content-Length is added, a plain one stays as written, any other spelling is written anew."""
    fork = request(body=b"abc").fork()
    forwarding.frame(fork)
    assert fork.value("content-length") == "3"
    for row, framed in (
        ("l: 3", "l: 3"),
        ("l:  3", "Content-Length: 3"),
        ("CONTENT-LENGTH : 003", "Content-Length: 3"),
    ):
        fork = request(row, body=b"abc").fork()
        forwarding.frame(fork)
        assert fork.rows[-1] == framed


@pytest.mark.clause("TRN-15", "TRN-11", "RFC 7118 5.2.2")
@pytest.mark.parametrize(
    ("uri", "transport", "expected"),
    [
        ("sip:a@b", "ws", "sip:f-1@192.0.2.1:8080;transport=ws;lr;dialog=t"),
        ("sip:a@b", "wss", "sip:f-1@192.0.2.1:8080;transport=ws;lr;dialog=t"),
        ("sips:a@b", "wss", "sips:f-1@192.0.2.1:8080;transport=ws;lr;dialog=t"),
        ("sips:a@b", "ws", "sip:f-1@192.0.2.1:8080;transport=ws;lr;dialog=t"),
    ],
)
def test_record_route_over_a_websocket(uri: str, transport: str, expected: str) -> None:
    """Both kinds say transport=ws, sips only where there is TLS; a flow token is the user of its own side's value, and
    makes one for each side of the same listener."""
    fork = request().fork()
    fork.set_uri(uri)
    listener = Listener(0, transport, "192.0.2.1", 8080, "192.0.2.1", 8080)
    assert forwarding.record_route(fork, listener, listener, "t", ("f-1", "")) == 2
    assert fork.listed("record-route") == [f"<{expected.replace('f-1@', '')}>", f"<{expected}>"]
