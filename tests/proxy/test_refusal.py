"""The cheap refusal and the long one are the same, for every way to write a request."""

import pytest

from sipguard.errors import MalformedValue
from sipguard.proxy.refusal import Refusal
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
)
OTHER = (
    "Via: SIP/2.0/UDP 192.0.2.11:5060;rport;branch=z9hG4bKabc",
    "v: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKabc;rport",
    "Via: SIP / 2.0 / UDP 192.0.2.11 : 5060 ; branch=z9hG4bKabc",
    "Via: SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bKabc;rport",
    "Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKabc, SIP/2.0/UDP 192.0.2.99;branch=z9hG4bKx",
    "Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKabc;received=1.2.3.4",
    "Via: SIP/2.0/UDP 192.0.2.11:5060;branch=old-style",
    'Via: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKabc;oc;oc-algo="loss"',
)


def request(via: str, *more: str) -> Request:
    """A call with this top Via."""
    data = invite().encode().decode("latin-1")
    first = data.index("Via:")
    end = data.index("\r\n", first)
    parsed = parse((data[:first] + "\r\n".join((via, *more)) + data[end:]).encode("latin-1"))
    assert isinstance(parsed, Request)
    return parsed


@pytest.mark.clause("PRX-36", "RFC 3261 8.2.6.2", "RFC 3261 18.2.1")
@pytest.mark.parametrize("flow", [HERE, ELSEWHERE, STREAM, IPV6])
@pytest.mark.parametrize("via", PLAIN + OTHER)
def test_both_ways_give_the_same(via: str, flow: Flow) -> None:
    """Key, octets and flow are those of the general functions."""
    short, long = Refusal(request(via)), Refusal(request(via))
    assert short.key == server_key(request(via), "INVITE")
    headers = (("Retry-After", "2"),)
    assert short.octets(flow, "tag-1", headers) == long.response(flow, "tag-1", headers).encode()
    assert short.reply_flow(flow) == reply_flow(request(via), flow)
    assert Refusal(request(via)).digest == Refusal(request(via)).digest


@pytest.mark.parametrize("via", PLAIN)
def test_the_usual_is_recognised(via: str) -> None:
    """The short way is taken where it is meant to be."""
    assert Refusal(request(via)).plain


@pytest.mark.parametrize("via", OTHER)
def test_the_unusual_goes_the_long_way(via: str) -> None:
    """One pattern that is too generous would read another message than the parser."""
    assert not Refusal(request(via)).plain


@pytest.mark.parametrize("port", ["0", "65536", "99999"])
def test_a_port_that_is_none_is_malformed(port: str) -> None:
    """It is for the sanity check to answer."""
    with pytest.raises(MalformedValue):
        Refusal(request(f"Via: SIP/2.0/UDP 192.0.2.11:{port};branch=z9hG4bKabc;rport"))


def test_several_vias_come_back_in_order() -> None:
    """Only the first is stamped."""
    more = "Via: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bKx"
    octets = Refusal(request(PLAIN[0], more)).octets(HERE, "t", ())
    assert octets == Refusal(request(PLAIN[0], more)).response(HERE, "t", ()).encode()
    assert octets.count(b"Via:") == 2


def test_a_folded_row_is_not_spliced() -> None:
    """What is not printable goes the long way, with the same result."""
    data = invite().encode().replace(b"From: ", b"From:\r\n ")
    first, second = parse(data), parse(data)
    assert isinstance(first, Request)
    assert isinstance(second, Request)
    octets = Refusal(first).octets(HERE, "t", ())
    assert octets == Refusal(second).response(HERE, "t", ()).encode()
    assert b"From:\r\n " in octets


def test_a_missing_row_is_no_fault() -> None:
    """A request without From is refused with what there is."""
    data = invite().encode().replace(b"From: ", b"X-From: ")
    parsed = parse(data)
    assert isinstance(parsed, Request)
    assert Refusal(parsed).octets(HERE, "t", ()).startswith(b"SIP/2.0 503 ")
