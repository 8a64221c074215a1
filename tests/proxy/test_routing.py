"""Route preprocessing and next hops."""

import pytest

from sipguard.errors import MalformedValue
from sipguard.policy.need import Server, TargetNeed
from sipguard.proxy import routing
from sipguard.proxy.identity import ProxyIdentity
from sipguard.proxy.routing import Preprocessed, hop_of, next_hop, preprocess
from sipguard.sip.flow import Listener
from sipguard.sip.host import is_address
from sipguard.sip.uri import parse_uri
from tests.sip.messages import request

UDP = Listener(0, "udp", "192.0.2.1", 5060, "192.0.2.1", 5060)
TCP = Listener(1, "tcp", "192.0.2.1", 5060, "192.0.2.1", 5060)
US = ProxyIdentity((UDP, TCP))
OURS = "<sip:192.0.2.1;lr;dialog=1-1.ff>"
OURS_TCP = "<sip:192.0.2.1;transport=tcp;lr;dialog=1-1.ff>"
OURS_FLOW = "<sip:f-1.ee@192.0.2.1;lr;dialog=1-1.ff>"
OTHER_CALL = "<sip:192.0.2.1;lr;dialog=1-2.ff>"
NEXT = "<sip:next.example;lr>"


@pytest.mark.clause("PRX-05", "RFC 3261 16.4")
@pytest.mark.parametrize(
    ("routes", "left", "listener"),
    [
        ([OURS], [], UDP),
        ([OURS_TCP, OURS], [], UDP),
        ([OURS, OURS_TCP, NEXT], [NEXT], TCP),
        ([f"{OURS}, {NEXT}"], [NEXT], UDP),
        ([OURS, OURS, OURS], [OURS], UDP),
        ([OURS, OTHER_CALL, NEXT], [OTHER_CALL, NEXT], UDP),
        ([OURS, OURS_FLOW], [], UDP),
        ([OURS_FLOW, OURS], [], UDP),
    ],
)
def test_our_values_come_off(routes: list[str], left: list[str], listener: Listener) -> None:
    """One value or the two of a double Record-Route go; the last of them says where to send from, and on which flow."""
    fork = request(*(f"Route: {route}" for route in routes)).fork()
    preprocessed = preprocess(fork, US)
    assert preprocessed == ("1-1.ff", listener, "f-1.ee" if routes[-1] == OURS_FLOW else None)
    assert fork.listed("route") == left


@pytest.mark.clause("PRX-05")
@pytest.mark.parametrize("rows", [(), (f"Route: {NEXT}, {OURS}",), ("Route: <tel:+1>",)])
def test_other_values_stay(rows: tuple[str, ...]) -> None:
    """A top Route that is not ours is left alone, whatever stands behind it."""
    fork = request(*rows).fork()
    assert preprocess(fork, US) == Preprocessed(None, None)
    assert fork.encode() == request(*rows).encode()


@pytest.mark.clause("MSG-14", "RFC 3261 20.34")
@pytest.mark.parametrize("rows", [("Route:",), ("Route: ,",), (f"Route: {OURS}", "Route: , ,")])
def test_a_route_without_a_value_is_refused(rows: tuple[str, ...]) -> None:
    """A Route row must name somebody; one that does not is malformed, and nothing is looked for in it."""
    with pytest.raises(MalformedValue, match="empty Route"):
        preprocess(request(*rows).fork(), US)
    with pytest.raises(MalformedValue, match="empty Route"):
        next_hop(request("Route: ,").fork())


@pytest.mark.clause("MSG-29")
def test_a_long_contact_is_not_remembered() -> None:
    """The hop of a URI is remembered, that of one too long to be anybody's is not: strangers cannot fill the memory."""
    before = routing._cached_hop.cache_info().currsize
    for number in range(3):
        hop = next_hop(request(uri=f"sip:x{number}.{'a' * 300}").fork())
        assert isinstance(hop, TargetNeed)
    assert routing._cached_hop.cache_info().currsize == before


@pytest.mark.clause("PRX-03", "RFC 3261 16.4")
def test_a_strict_router_is_undone() -> None:
    """Our URI in the Request-URI changes places with the last Route value, and its token counts."""
    fork = request(f"Route: {NEXT}", "Route: <sip:callee@far.example>", uri=OURS.strip("<>")).fork()
    assert preprocess(fork, US).token == "1-1.ff"
    assert (fork.uri, fork.listed("route")) == ("sip:callee@far.example", [NEXT])


@pytest.mark.clause("PRX-03")
@pytest.mark.parametrize("uri", ["sip:192.0.2.1", "sip:192.0.2.1;lr", "sip:192.0.2.9;lr;dialog=1-1.ff"])
def test_only_a_uri_we_wrote_is_a_strict_routers(uri: str) -> None:
    """A Request-URI without our mark, or at another place, stays."""
    fork = request(f"Route: {NEXT}", uri=uri).fork()
    preprocess(fork, US)
    assert fork.uri == uri


@pytest.mark.clause("PRX-07", "RFC 3261 16.6 (7)")
def test_the_next_hop() -> None:
    """The top Route value where there is one, else the Request-URI."""
    assert next_hop(request(uri="sip:callee@192.0.2.7:5080").fork()) == Server("udp", "192.0.2.7", 5080)
    fork = request("Route: <sip:10.0.0.1;transport=TCP;lr>").fork()
    assert next_hop(fork) == Server("tcp", "10.0.0.1", 5060)
    assert fork.uri == "sip:bob@example.net"


@pytest.mark.clause("PRX-06", "RFC 3261 16.6 (6)")
def test_a_strict_next_hop() -> None:
    """A value without lr becomes the Request-URI; the Request-URI goes to the end of Route."""
    fork = request("Route: <sip:strict.example>, <sip:next.example;lr>").fork()
    assert next_hop(fork) == TargetNeed("strict.example")
    assert fork.uri == "sip:strict.example"
    assert fork.listed("route") == ["<sip:next.example;lr>", "<sip:bob@example.net>"]


@pytest.mark.clause("PRX-04", "FRK-11")
@pytest.mark.parametrize(
    ("text", "hop"),
    [
        ("sip:a@h.example;maddr=192.0.2.3", ("udp", "192.0.2.3", 5060)),
        ("sip:a@h.example;maddr=[2001:db8::3]", ("udp", "2001:db8::3", 5060)),
        ("sip:a@[2001:db8::4]:5070;transport=tcp", ("tcp", "2001:db8::4", 5070)),
    ],
)
def test_hosts_become_addresses(text: str, hop: tuple[str, str, int]) -> None:
    """maddr wins over the host, and brackets are for URIs only."""
    assert hop_of(parse_uri(text)) == hop


@pytest.mark.clause("MSG-30")
@pytest.mark.parametrize("text", ["sip:a;maddr=b:c", "sip:a@300.1.1.1", "sip:[::::1]", "tel:+1", "urn:x:y", "sip:1.2"])
def test_what_is_no_hop(text: str) -> None:
    """Something that looks like an address and is none, or no SIP URI, raises MalformedValue."""
    with pytest.raises(MalformedValue):
        hop_of(parse_uri(text))


def test_addresses_and_names() -> None:
    """A name has a letter in its last label, or none of the characters of an address."""
    assert [is_address(host) for host in ("192.0.2.1", "::1", "a.example", "localhost")] == [True, True, False, False]
