"""RFC 3263 as a function of the records that are known."""

import random
from collections import Counter
from collections.abc import Sequence

import pytest

from sipguard.policy.need import Server, TargetNeed
from sipguard.runtime.resolution import Naptr, Question, Record, Resolution, Srv

EVERYTHING = frozenset((transport, ipv6) for transport in ("udp", "tcp", "tls") for ipv6 in (False, True))
ADDRESSES: dict[tuple[str, str], Sequence[Record]] = {
    (host, "A"): [address]
    for host, address in (("a.test", "192.0.2.1"), ("b.test", "192.0.2.2"), ("carrier.test", "192.0.2.9"))
}


def resolve(
    need: TargetNeed,
    zone: dict[tuple[str, str], Sequence[Record]],
    reach: frozenset[tuple[str, bool]] = EVERYTHING,
    draw: random.Random | None = None,
) -> Resolution:
    """With everything known: what the zone does not have does not exist."""
    known = ADDRESSES | zone
    generator = draw or random.Random(1)
    return Resolution(need, reach, lambda question: known.get((question.name, question.kind), ()), generator.random)


@pytest.mark.clause("FRK-15", "RFC 3263 4.1")
def test_sips_takes_nothing_but_sips() -> None:
    """A SIPS URI whose name offers only SIP over UDP and TCP has no server; with SIPS+D2T it has one."""
    need = TargetNeed("carrier.test", sips=True)
    naptr = [
        Naptr(1, 1, "s", "SIP+D2U", "_sip._udp.carrier.test"),
        Naptr(1, 2, "s", "SIP+D2T", "_sip._tcp.carrier.test"),
    ]
    zone: dict[tuple[str, str], Sequence[Record]] = {("carrier.test", "NAPTR"): naptr}
    zone["_sip._udp.carrier.test", "SRV"] = [Srv(0, 0, 5060, "a.test")]
    refused = resolve(need, zone)
    assert (refused.servers, refused.detail) == ((), "no transport in common")
    zone["carrier.test", "NAPTR"] = [*naptr, Naptr(9, 9, "S", "sips+d2t", "_sips._tcp.carrier.test")]
    zone["_sips._tcp.carrier.test", "SRV"] = [Srv(0, 0, 5061, "a.test")]
    assert resolve(need, zone).servers == (Server("tls", "192.0.2.1", 5061),)


@pytest.mark.clause("FRK-15", "RFC 3263 4.2")
@pytest.mark.parametrize(
    ("need", "server"),
    [
        (TargetNeed("carrier.test", None, None, True), ("tls", 5061)),
        (TargetNeed("carrier.test", 5071, None, True), ("tls", 5071)),
        (TargetNeed("carrier.test", None, "tcp", True), ("tls", 5061)),
        (TargetNeed("carrier.test", None, "tls"), ("tls", 5061)),
    ],
)
def test_sips_without_records(need: TargetNeed, server: tuple[str, int]) -> None:
    """TLS and 5061 unless the URI names a port; over UDP there is no SIPS."""
    transport, port = server
    assert resolve(need, {}).servers == (Server(transport, "192.0.2.9", port),)
    assert resolve(TargetNeed("carrier.test", None, "udp", True), {}).servers == ()


@pytest.mark.clause("FRK-17", "RFC 2782")
def test_a_dot_means_no_such_service() -> None:
    """An SRV target of "." has no server, and the name's own address is no way around it."""
    zone: dict[tuple[str, str], Sequence[Record]] = {("_sip._udp.carrier.test", "SRV"): [Srv(0, 0, 0, ".")]}
    found = resolve(TargetNeed("carrier.test"), zone)
    assert (found.servers, found.detail) == ((), "the service is not available at this name")
    zone["_sip._tcp.carrier.test", "SRV"] = [Srv(0, 0, 5070, "a.test")]
    assert resolve(TargetNeed("carrier.test"), zone).servers == (Server("tcp", "192.0.2.1", 5070),)


@pytest.mark.clause("FRK-11", "RFC 2782")
def test_priorities_and_weights() -> None:
    """The lowest priority comes first; within one the first place is drawn in proportion to the weights."""
    records = [Srv(20, 0, 1, "a.test"), Srv(10, 75, 2, "a.test"), Srv(10, 25, 3, "a.test"), Srv(10, 0, 4, "a.test")]
    zone: dict[tuple[str, str], Sequence[Record]] = {("_sip._udp.carrier.test", "SRV"): records}
    draw = random.Random(7)
    orders = [
        tuple(server.port for server in resolve(TargetNeed("carrier.test"), zone, draw=draw).servers)
        for _ in range(2000)
    ]
    assert {order[-1] for order in orders} == {1}
    assert {tuple(sorted(order)) for order in orders} == {(1, 2, 3, 4)}
    first = Counter(order[0] for order in orders)
    assert 1350 < first[2] < 1650
    assert 350 < first[3] < 650
    assert 0 < first[4] < 80


@pytest.mark.clause("FRK-16", "FRK-11", "RFC 7984")
def test_both_address_families_ipv4_first() -> None:
    """A and AAAA are both used; what no listener reaches is left out and not even asked for."""
    zone: dict[tuple[str, str], Sequence[Record]] = {("carrier.test", "AAAA"): ["2001:db8::9"]}
    both = resolve(TargetNeed("carrier.test", 5060), zone).servers
    assert [server.host for server in both] == ["192.0.2.9", "2001:db8::9"]
    only = resolve(TargetNeed("carrier.test", 5060), zone, reach=frozenset((("udp", False),))).servers
    assert [server.host for server in only] == ["192.0.2.9"]


@pytest.mark.clause("FRK-10")
def test_what_is_missing_is_said_step_by_step() -> None:
    """Records are asked for when they are needed: NAPTR, then SRV of each transport, then addresses."""
    known: dict[Question, Sequence[Record]] = {}
    need = TargetNeed("carrier.test")
    reach = frozenset((("udp", False), ("tcp", False)))
    steps = []
    for _ in range(4):
        found = Resolution(need, reach, known.get, lambda: 0.0)
        steps.append([f"{question.kind} {question.name}" for question in found.missing])
        known |= dict.fromkeys(found.missing, ())
    assert steps == [
        ["NAPTR carrier.test"],
        ["SRV _sip._udp.carrier.test", "SRV _sip._tcp.carrier.test"],
        ["A carrier.test"],
        [],
    ]


def test_the_number_of_servers_is_bounded() -> None:
    """A name with hundreds of addresses is tried at some of them."""
    zone: dict[tuple[str, str], Sequence[Record]] = {("carrier.test", "A"): [f"192.0.2.{n}" for n in range(200)]}
    assert len(resolve(TargetNeed("carrier.test"), zone).servers) == 32
