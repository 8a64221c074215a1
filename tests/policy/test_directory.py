"""The frozen look-ups of the hot path."""

import pytest

from sipguard.policy.account import Account
from sipguard.policy.directory import Directory
from sipguard.policy.number_book import NumberBook
from sipguard.policy.right import ListEntry, NumberRight, RightKind
from sipguard.policy.trunk import Side, Target, TrafficClass, Trunk
from sipguard.sip.flow import Flow

NOW = 1_764_000_000
TN = "14155550100"
TARGET = Target("sip:pbx", "udp", "pbx", 5060)


def customer(name, account, *, sources=(), targets=(TARGET,)):
    """A customer trunk."""
    return Trunk(name, Side.CUSTOMER, account=account, sources=sources, targets=targets)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("192.0.2.1", "exact"),
        ("192.0.2.2", "narrow"),
        ("192.0.2.200", "wide"),
        ("2001:db8::1", "exact6"),
        ("2001:db8::2", "wide6"),
        ("198.51.100.1", None),
        ("2001:db9::1", None),
    ],
)
def test_an_address_leads_to_the_most_specific_trunk(host, name):
    """An exact source wins over a network and a longer prefix over a shorter one, whatever their order."""
    trunks = (
        customer("wide", "a", sources=("192.0.2.0/24",)),
        customer("narrow", "a", sources=("192.0.2.0/28",)),
        customer("exact", "a", sources=("192.0.2.1/32",)),
        customer("wide6", "a", sources=("2001:db8::/32",)),
        customer("exact6", "a", sources=("2001:db8::1",)),
    )
    trunk = Directory(trunks=trunks).trunk_at(host)
    assert (trunk.name if trunk else None) == name


def test_the_right_of_an_ancestor_serves_and_a_neighbours_does_not():
    """A number of the reseller may be used by its customer, not the other way round and not by a neighbour."""
    directory = Directory(
        accounts=(
            Account("top", path=("top",)),
            Account("child", path=("top", "child")),
            Account("other", path=("other",)),
        ),
        numbers=NumberBook.of(
            ((TN, NumberRight("top", RightKind.OWNED)), ("14155550101", NumberRight("child", RightKind.OWNED)))
        ),
    )
    assert directory.right(TN, "child", NOW) is not None
    assert directory.right(TN, "other", NOW) is None
    assert directory.right(TN, "unknown", NOW) is None
    assert directory.right("14155550101", "top", NOW) is None


@pytest.mark.parametrize(("expires", "valid"), [(NOW - 1, False), (NOW, False), (NOW + 1, True), (None, True)])
def test_a_right_ends_at_the_second_it_expires(expires, valid):
    """A right holds until its expiry and no longer."""
    directory = Directory(numbers=NumberBook.of(((TN, NumberRight("acme", RightKind.VERIFIED, expires)),)))
    assert (directory.right(TN, "acme", NOW) is not None) is valid


def test_a_delegated_number_is_at_home_with_its_user():
    """Calls go to the account a number was delegated to, not to its owner, and never to who merely verified it."""
    rights = [(TN, NumberRight(name, kind)) for name, kind in zip("abc", RightKind, strict=True)]
    assert Directory(numbers=NumberBook.of(rights)).home(TN) == rights[2][1]
    assert Directory(numbers=NumberBook.of(rights[:2])).home(TN) == rights[0][1]
    assert Directory(numbers=NumberBook.of(rights[1:2])).home(TN) is None


def test_a_number_may_name_its_trunk():
    """The right's own trunk wins; otherwise the account's first trunk with targets takes the call."""
    trunks = (customer("dry", "acme", targets=()), customer("first", "acme"), customer("second", "acme"))
    directory = Directory(trunks=trunks)
    assert directory.home_trunk(NumberRight("acme", RightKind.OWNED)) == trunks[1]
    assert directory.home_trunk(NumberRight("acme", RightKind.OWNED, trunk="second")) == trunks[2]
    assert directory.home_trunk(NumberRight("acme", RightKind.OWNED, trunk="gone")) is None


def test_the_longest_do_not_originate_pattern_matches():
    """An exact entry wins over a block, and a longer block over a shorter one; lengths must fit."""
    entries = [ListEntry(pattern) for pattern in ("1999XXXXXXX", "1999555XXXX", "19995550100")]
    directory = Directory(numbers=NumberBook.of(listed=entries))
    for number, pattern in (
        ("19995550100", "19995550100"),
        ("19995550101", "1999555XXXX"),
        ("19991230101", "1999XXXXXXX"),
    ):
        entry = directory.do_not_originate(number, NOW)
        assert entry is not None
        assert entry.pattern == pattern
    assert directory.do_not_originate("1999555010", NOW) is None
    assert directory.do_not_originate("14155550100", NOW) is None


def test_an_expired_do_not_originate_entry_is_none():
    """An entry holds until its expiry."""
    directory = Directory(numbers=NumberBook.of(listed=[ListEntry(TN, expires=NOW)]))
    assert directory.do_not_originate(TN, NOW) is None
    assert directory.do_not_originate(TN, NOW - 1) is not None


def test_only_network_trunks_with_targets_carry_a_class():
    """Customers and trunks without a next hop are no egress."""
    carrier = Trunk("carrier", Side.NETWORK, targets=(TARGET,))
    directory = Directory(trunks=(customer("pbx", "acme"), Trunk("dry", Side.NETWORK), carrier))
    assert directory.egress(TrafficClass.CONVERSATIONAL) == (carrier,)
    assert directory.egress(TrafficClass.DIALER) == ()


@pytest.mark.clause("RFC 5922 7.4", "RFC 5922 7.2")
def test_a_certificate_leads_to_its_trunk_and_an_address_does_not():
    """A trunk with names is found by one of them, in its sources where it has some; never by its address alone."""
    named = Trunk("named", Side.NETWORK, tls_names=("sip.example", "sip2.example"), targets=(TARGET,))
    both = Trunk("both", Side.NETWORK, tls_names=("both.example",), sources=("192.0.2.0/28", "2001:db8::1"))
    plain = Trunk("plain", Side.NETWORK, sources=("192.0.2.1",))
    directory = Directory(trunks=(named, both, plain))
    found = {
        ("198.51.100.1", ("x.example", "sip2.example")): named,
        ("198.51.100.1", ("both.example",)): None,
        ("192.0.2.2", ("both.example",)): both,
        ("fe80::1%2", ("both.example",)): None,
        ("192.0.2.1", ("x.example",)): plain,
        ("192.0.2.2", ()): None,
    }
    for (host, names), trunk in found.items():
        assert directory.trunk_of(Flow(0, "tls", host, 40000, 1, names)) is trunk
    assert directory.names_at("2001:db8::1") == ("both.example",)
    assert directory.names_at("pbx") == ("sip.example", "sip2.example")
    assert directory.names_at("192.0.2.1") == ()
