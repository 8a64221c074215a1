"""Socket addresses, sources and targets as an operator writes them."""

import pytest

from sipguard.config.address import parse_socket_address, parse_source, parse_target
from sipguard.policy.trunk import Target


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("0.0.0.0:5060", "0.0.0.0:5060"),
        ("192.0.2.1", "192.0.2.1:5060"),
        ("[::1]:5070", "[::1]:5070"),
        ("[2001:DB8:0:0::1]", "[2001:db8::1]:5060"),
    ],
)
def test_addresses(text: str, shown: str) -> None:
    """An address with or without a port is read, IPv6 in brackets and in its shortest form."""
    assert str(parse_socket_address(text, 5060)) == shown


@pytest.mark.parametrize(
    "text",
    ["", ":5060", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:5060x", "::1", "[::1", "[192.0.2.1]:5060",
     "[::1]5060", "host.example:5060", "192.0.2.256:5060", "192.0.2.1:\u0665"],
)  # fmt: skip
def test_no_addresses(text: str) -> None:
    """What is not an address and port is refused with a sentence."""
    with pytest.raises(ValueError, match=r"\w"):
        parse_socket_address(text, 5060)


def test_names_only_where_allowed() -> None:
    """A host name can be advertised but not bound; a mistyped address is not taken for a name."""
    assert parse_socket_address("SIP.Example:5061", names=True) == ("sip.example", 5061)
    with pytest.raises(ValueError, match="IP address or host name"):
        parse_socket_address("192.0.2.999:5060", names=True)


def test_port_required() -> None:
    """Without a default the port must be written."""
    with pytest.raises(ValueError, match="no port"):
        parse_socket_address("127.0.0.1")


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("203.0.113.5/32", "203.0.113.5"),
        ("203.0.113.77/24", "203.0.113.0/24"),
        ("2001:db8::/32", "2001:db8::/32"),
    ],
)
def test_sources(text: str, source: str) -> None:
    """Addresses and networks come out in one spelling each."""
    assert parse_source(text) == source


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("sip:192.0.2.20", ("udp", "192.0.2.20", 5060)),
        ("sip:192.0.2.20:5080;transport=TCP", ("tcp", "192.0.2.20", 5080)),
        ("sip:[2001:db8::1]:5060;transport=udp", ("udp", "2001:db8::1", 5060)),
        ("sips:192.0.2.20", ("tls", "192.0.2.20", 5061)),
        ("sip:192.0.2.20:5071;transport=TLS", ("tls", "192.0.2.20", 5071)),
        ("sips:carrier-a.example", ("tls", "carrier-a.example", None)),
        ("sip:carrier-a.example", (None, "carrier-a.example", None)),
        ("sip:carrier-a.example:5060", (None, "carrier-a.example", 5060)),
        ("sip:carrier-a.example;transport=tcp", ("tcp", "carrier-a.example", None)),
    ],
)
def test_targets(text: str, target: tuple[str | None, str, int | None]) -> None:
    """A SIP URI names a next hop: UDP and 5060 of an address unless it says otherwise, of a name what DNS says."""
    assert parse_target(text) == Target(text, *target)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("192.0.2.20", "SIP URI"),
        ("tel:+14155550100", "SIP URI"),
        ("sip:", "SIP URI"),
        ("sip:192.0.2.20;transport=sctp", "sctp"),
        ("sip:192.0.2.999", "192.0.2.999"),
    ],
)
def test_no_targets(text: str, why: str) -> None:
    """What cannot be a next hop is refused, and the sentence says why."""
    with pytest.raises(ValueError, match=why):
        parse_target(text)


def test_the_share_of_a_target() -> None:
    """Priority and weight are parameters of its URI; a weight alone says nothing."""
    shared = parse_target("sip:192.0.2.20;priority=1;weight=3")
    assert (shared.priority, shared.weight) == (1, 3)
    assert parse_target("sip:192.0.2.20;priority=0").weight == 1
    assert parse_target("sip:192.0.2.20").priority is None


@pytest.mark.parametrize("parameters", ["weight=3", "priority=x", "priority", "priority=1;weight=0", "priority=70000"])
def test_no_share(parameters: str) -> None:
    """What is no number in its range, or a weight among none, is refused."""
    with pytest.raises(ValueError, match=r"priority|weight"):
        parse_target(f"sip:192.0.2.20;{parameters}")
