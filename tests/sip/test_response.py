"""Responses of our own, and received/rport."""

import pytest

from sipguard.errors import MalformedMessage, MalformedValue
from sipguard.sip.flow import Flow
from sipguard.sip.message import Request
from sipguard.sip.parser import parse
from sipguard.sip.response import build_response, stamp_received
from sipguard.sip.sanity import check
from tests.sip.messages import octets, request

FLOW = Flow(0, "udp", "192.0.2.1", 40000)


@pytest.mark.clause("MSG-22", "RFC 3261 8.2.6.2")
def test_a_response_copies_what_it_must() -> None:
    """All Vias, From, To, Call-ID and CSeq are copied as received, in order, and To gets the tag."""
    answer = build_response(
        request("v: SIP/2.0/TCP b;branch=2", "Timestamp: 54", "Subject: x"),
        403,
        to_tag="mine",
        headers=[("reason", "x"), ("Server", "y")],
    )
    assert answer.encode() == (
        b"SIP/2.0 403 Forbidden\r\n"
        b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKabc;rport\r\n"
        b"v: SIP/2.0/TCP b;branch=2\r\n"
        b'From: "Alice" <sip:+12155550112@example.com;user=phone>;tag=f1\r\n'
        b"To: <sip:+12155550113@example.net>;tag=mine\r\n"
        b"Call-ID: one@192.0.2.1\r\n"
        b"CSeq: 7 INVITE\r\n"
        b"Reason: x\r\nServer: y\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    assert (answer.code, answer.reason) == (403, "Forbidden")
    check(answer, datagram=False)


@pytest.mark.clause("MSG-23", "RFC 3261 8.2.6.1")
def test_a_100_copies_timestamp() -> None:
    """A 100 has the request's Timestamp and no tag of ours."""
    answer = build_response(request("Timestamp: 54"), 100)
    assert answer.value("timestamp") == "54"
    assert answer.to.tag is None
    assert not build_response(request(), 100).has("timestamp")


@pytest.mark.parametrize(
    ("to", "tag"),
    [
        ("<sip:a@b>", "mine"),
        ("<sip:a@b>;tag=theirs", "theirs"),
        ("<sip:a@b;tag=uri>", "mine"),
        ("sip:a@b ; Tag = theirs", "theirs"),
    ],
)
def test_a_tag_is_added_only_where_there_is_none(to: str, tag: str) -> None:
    """A tag the request already has stays, and a URI parameter is no tag."""
    assert build_response(request(to=to), 486, to_tag="mine").to.tag == tag


def test_phrase_and_body() -> None:
    """A phrase and a body of ours go out with the right length."""
    answer = build_response(request(), 302, "Elsewhere", headers=[("Contact", "<sip:c@d>")], body=b"abc")
    assert answer.encode().endswith(b"Contact: <sip:c@d>\r\nContent-Length: 3\r\n\r\nabc")
    assert answer.start_line == "SIP/2.0 302 Elsewhere"


@pytest.mark.clause("MSG-31")
def test_line_ends_in_our_own_values_become_spaces() -> None:
    """A configured value with a line end does not become a header field."""
    answer = build_response(request(), 403, "No\r\nX: 1", headers=[("Reason", "a\nX: 2\0")])
    assert parse(answer.encode()).names == ["via", "from", "to", "call-id", "cseq", "reason", "content-length"]
    assert answer.reason == "No  X: 1"


@pytest.mark.clause("MSG-08", "MSG-31", "RFC 4475 3.3.1")
@pytest.mark.parametrize(
    "data",
    [
        octets("X: a\nb"),
        octets(to='"open <sip:a@b>'),
        octets(to='"open <sip:a@b>;tag=x'),
        octets(to=None, call_id=None, **{"from": None}),
        octets(to="<sip:a@b>\nX: 1"),
        octets(via="SIP/2.0/UDP a\rb"),
        octets("To: <sip:second@b>"),
        octets("To\r\nno colon"),
        octets(uri="<sip:a@b>"),
        b"INVITE sip:a@b SIP/7.0\r\n\r\n",
    ],
)
def test_a_broken_request_gets_a_clean_response(data: bytes) -> None:
    """Whatever is wrong with a request, the response to it is well-formed and copies only whole rows."""
    message: object
    try:
        message = parse(data)
    except MalformedMessage as error:
        message = error.message
    assert isinstance(message, Request)
    answer = build_response(message, 400, to_tag="mine")
    again = parse(answer.encode())
    assert again.names == answer.names
    assert len(answer.values("to")) <= 1
    assert ";tag=" in (answer.value("to") or ";tag=")


@pytest.mark.clause("PRX-16", "MSG-27", "RFC 3261 18.2.1", "RFC 5118 4.5")
@pytest.mark.parametrize(
    ("via", "flow", "stamped"),
    [
        ("SIP/2.0/UDP 192.0.2.1;branch=x", FLOW, "SIP/2.0/UDP 192.0.2.1;branch=x"),
        ("SIP/2.0/UDP 192.0.2.9;branch=x", FLOW, "SIP/2.0/UDP 192.0.2.9;branch=x;received=192.0.2.1"),
        ("SIP/2.0/UDP pbx.example.com;branch=x", FLOW, "SIP/2.0/UDP pbx.example.com;branch=x;received=192.0.2.1"),
        (
            "SIP/2.0/UDP [2001:DB8::1];branch=x",
            Flow(0, "udp", "2001:db8::1", 5060),
            "SIP/2.0/UDP [2001:DB8::1];branch=x",
        ),
        (
            "SIP/2.0/UDP [2001:db8::2]",
            Flow(0, "udp", "2001:db8::1", 5060),
            "SIP/2.0/UDP [2001:db8::2];received=2001:db8::1",
        ),
        (
            "SIP/2.0/UDP [2001:db8::2];received=[2001:db8::1]",
            Flow(0, "udp", "2001:db8::1", 5060),
            "SIP/2.0/UDP [2001:db8::2];received=2001:db8::1",
        ),
        ("SIP/2.0/UDP 192.0.2.1;received=203.0.113.9", FLOW, "SIP/2.0/UDP 192.0.2.1;received=192.0.2.1"),
    ],
)
def test_received(via: str, flow: Flow, stamped: str) -> None:
    """The source address is written where sent-by is not it, and over whatever the sender wrote there."""
    message = request(via=via).fork()
    stamp_received(message, flow)
    assert message.values("via") == [stamped]


@pytest.mark.clause("PRX-17", "RFC 3581 4")
@pytest.mark.parametrize("rport", ["rport", "rport=1"])
def test_rport_is_filled_in_with_received(rport: str) -> None:
    """An rport gets the source port, and received is added even if it equals sent-by; lower Vias stay."""
    message = request("Via: SIP/2.0/UDP c", via=f"SIP/2.0/UDP 192.0.2.1;{rport};branch=x, SIP/2.0/UDP b;rport").fork()
    stamp_received(message, FLOW)
    assert message.values("via") == [
        "SIP/2.0/UDP 192.0.2.1;rport=40000;branch=x;received=192.0.2.1, SIP/2.0/UDP b;rport",
        "SIP/2.0/UDP c",
    ]
    assert (message.via.rport, message.via.received) == (40000, "192.0.2.1")


def test_without_a_readable_via_nothing_can_be_stamped() -> None:
    """A missing or malformed Via raises."""
    for via in (None, "nonsense"):
        with pytest.raises(MalformedValue):
            stamp_received(request(via=via).fork(), FLOW)
