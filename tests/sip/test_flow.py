"""Flows and listeners."""

from sipguard.sip.flow import Flow, Listener


def test_only_datagrams_are_unreliable() -> None:
    """Timers retransmit over UDP only."""
    assert not Flow(0, "udp", "192.0.2.1", 5060).reliable
    assert Flow(0, "tcp", "192.0.2.1", 5060, 7).reliable
    assert Flow(0, "tls", "192.0.2.1", 5061, 8).reliable


def test_a_listener_knows_its_address_family() -> None:
    """An address with a colon is IPv6."""
    assert Listener(0, "udp", "::1", 5060, "[::1]", 5060).ipv6
    assert not Listener(0, "udp", "127.0.0.1", 5060, "127.0.0.1", 5060).ipv6
