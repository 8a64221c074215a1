"""The steps of request forwarding, each by itself."""

import pytest

from sipguard.policy.directory import Target
from sipguard.proxy import forwarding
from sipguard.sip.flow import Listener
from sipguard.sip.uri import parse_uri
from tests.sip.messages import request

UDP = Listener(0, "udp", "192.0.2.1", 5060, "edge.example.com", 5060)
TCP = Listener(1, "tcp", "192.0.2.1", 5060, "edge.example.com", 5061)


@pytest.mark.clause("MSG-18", "MSG-19", "RFC 3261 16.6 (3)")
@pytest.mark.parametrize(("before", "after"), [("70", "69"), ("1", "0"), ("0068", "67"), ("255", "254"), (None, "70")])
def test_max_forwards(before: str | None, after: str) -> None:
    """One less than it was, 70 where there was none."""
    fork = request(max_forwards=before).fork()
    forwarding.decrement_hops(fork)
    assert fork.values("max-forwards") == [after]


@pytest.mark.clause("PRX-11", "PRX-04", "PRX-28", "MSG-15", "EMG-02", "PRV-16")
@pytest.mark.parametrize(
    ("uri", "host", "port", "transport", "number", "expected"),
    [
        ("sip:+1212@old;user=phone", "10.0.0.9", 5060, "udp", None, "sip:+1212@10.0.0.9;user=phone"),
        ("sip:1-212@old", "10.0.0.9", 5070, "tcp", "+1212", "sip:+1212@10.0.0.9:5070;transport=tcp"),
        ("sip:1212;npdi;rn=+1@old", "h.example", 5060, "udp", "+1212", "sip:+1212;npdi;rn=+1@h.example"),
        ("sip:a@old;gr=urn:uuid:1;ob;maddr=x", "h.example", 5060, "udp", None, "sip:a@h.example;gr=urn:uuid:1;ob"),
        ("sips:a@old", "2001:db8::1", 5060, "udp", None, "sips:a@[2001:db8::1]"),
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
    """A missing Content-Length is added, one that is there stays as written."""
    fork = request(body=b"abc").fork()
    forwarding.frame(fork)
    assert fork.value("content-length") == "3"
    fork = request("l:  003", body=b"abc").fork()
    forwarding.frame(fork)
    assert fork.rows[-1] == "l:  003"
