"""The refusal at sight and the one behind the parser are the same; only what is plain is read at sight."""

import pytest

from sipguard.proxy.refusal import at_sight, refusal
from sipguard.sip.flow import Flow
from sipguard.sip.message import Request
from sipguard.sip.parser import parse
from sipguard.testing.sample import invite
from sipguard.transaction.key import server_key
from sipguard.transaction.server import reply_flow

HERE = Flow(0, "udp", "192.0.2.11", 5070)
ELSEWHERE = Flow(0, "udp", "198.51.100.7", 40_000)
STREAM = Flow(1, "tcp", "192.0.2.11", 40_000, 3)
IPV6 = Flow(0, "udp", "2001:db8::1", 5060)
PLAIN = (
    "Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKabc;rport",
    "Via: SIP/2.0/UDP 192.0.2.11;branch=z9hG4bKabc;rport",
    "Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bK-524287-1---0.1~a",
    "Via: SIP/2.0/TCP pbx.example.com;branch=z9hG4bKabc",
    "Via: SIP/2.0/UDP 192.0.2.11;branch=z9hG4bKabc;rport\r\nVia: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bKx",
)
OTHER = (
    "Via: SIP/2.0/UDP 192.0.2.11:5060;rport;branch=z9hG4bKabc",
    "v: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKabc;rport",
    "Via: SIP / 2.0 / UDP 192.0.2.11 : 5060 ; branch=z9hG4bKabc",
    "Via: SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bKabc;rport",
    "Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKabc, SIP/2.0/UDP 192.0.2.99;branch=z9hG4bKx",
    "Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKabc;received=1.2.3.4",
    "Via: SIP/2.0/UDP 192.0.2.11:5060;branch=old-style",
    "Via: SIP/2.0/UDP 192.0.2.11:0;branch=z9hG4bKabc",
    "Via: SIP/2.0/UDP 192.0.2.11:65536;branch=z9hG4bKabc",
    'Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKabc;oc;oc-algo="loss"',
)


def octets(via: str) -> bytes:
    """A call with this top Via."""
    data = invite().encode()
    first = data.index(b"Via:")
    return data[:first] + via.encode() + data[data.index(b"\r\n", first) :]


def parsed(data: bytes) -> Request:
    """The same behind the parser."""
    request = parse(data)
    assert isinstance(request, Request)
    return request


@pytest.mark.clause("PRX-36", "RFC 3261 8.2.6.2", "RFC 3261 18.2.1", "RFC 3261 18.2.2")
@pytest.mark.parametrize("flow", [HERE, ELSEWHERE, STREAM, IPV6])
@pytest.mark.parametrize("via", PLAIN)
@pytest.mark.parametrize("middle", [0, 2, 5])
def test_both_ways_give_the_same(via: str, flow: Flow, middle: int) -> None:
    """Key, octets and flow are those of the general functions."""
    data = octets(via)
    sight = at_sight(data)
    assert sight is not None
    assert sight.key == server_key(parsed(data), "INVITE")
    assert sight.reply_flow(flow) == reply_flow(parsed(data).via, flow)
    assert sight.octets(flow, "busy", middle) == refusal(parsed(data), flow, "busy", middle).encode()


@pytest.mark.parametrize("via", OTHER)
def test_an_unusual_via_goes_the_long_way(via: str) -> None:
    """A pattern that is too generous would read another message than the parser."""
    assert at_sight(octets(via)) is None


@pytest.mark.clause("EMG-17")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"INVITE sip:+12125550123@", b"INVITE sip:911@"),
        (b"INVITE sip:+12125550123@192.0.2.1;user=phone", b"INVITE urn:service:sos"),
        (b"INVITE sip:+12125550123@192.0.2.1;user=phone", b"INVITE tel:911"),
        (b"To: <sip:+12125550123@", b"To: <sip:alice@"),
        (b"To: <sip:+12125550123@192.0.2.1;user=phone>", b"To: <urn:service:sos>"),
        (b"To: <sip:+12125550123@", b'To: "sip:+12125550123@" <sip:911@'),
        (b"User-Agent: sample", b"Resource-Priority: esnet.0"),
        (b"User-Agent: sample", b"RESOURCE-PRIORITY: esnet.0"),
        (b"User-Agent: sample", b"Priority: psap-callback"),
        (b"@192.0.2.1;user=phone>\r\nCall-ID", b"@192.0.2.1;user=phone>;tag=x\r\nCall-ID"),
        (b"@192.0.2.1;user=phone>\r\nCall-ID", b"@192.0.2.1;user=phone> ; TAG = x\r\nCall-ID"),
        (b"From: ", b"From:\r\n "),
        (b"From: ", b"f: "),
        (b"To: ", b"to: "),
        (b"Call-ID: ", b"Call-ID:"),
        (b"From: ", b"From: \x01"),
        (b"INVITE sip:", b"MESSAGE sip:"),
        (b"INVITE sip:", b"ACK sip:"),
        (b" SIP/2.0\r\nVia", b" SIP/3.0\r\nVia"),
        (b"INVITE sip:", b"\r\nINVITE sip:"),
        (b"\r\n\r\n", b"\r\n"),
    ],
)
def test_whatever_may_matter_goes_the_long_way(old: bytes, new: bytes) -> None:
    """Emergencies, priorities, dialogs, other methods and other spellings are for those who read everything."""
    data = invite().encode()
    assert at_sight(data) is not None
    assert old in data
    assert at_sight(data.replace(old, new, 1)) is None


@pytest.mark.parametrize(
    "data", [b"", b"\r\n\r\n", b"INVITE ", b"INVITE \r\n\r\n", b"\xff" * 100, b"INVITE sip:\r\n\r\n"]
)
def test_rubbish_is_not_plain(data: bytes) -> None:
    """Nothing raises."""
    assert at_sight(data) is None


def test_two_calls_have_two_tags() -> None:
    """The tag is made of the branch."""
    first, second = (at_sight(invite(call_id=f"c{number}@x").encode()) for number in (1, 2))
    assert first is not None
    assert second is not None
    assert first.octets(HERE, "m", 0).partition(b"tag=m")[2] != second.octets(HERE, "m", 0).partition(b"tag=m")[2]
