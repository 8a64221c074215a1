"""Binding: a socket or one clear line."""

import socket

import pytest

from sipguard.errors import StartupError
from sipguard.runtime.binding import bind


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_taken_port_is_one_clear_line(transport: str) -> None:
    """The line names the listener and the reason."""
    with bind("listener", transport, "127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(StartupError) as refused:
            bind("listener", transport, "127.0.0.1", port)
    assert str(refused.value) == f"listener {transport} 127.0.0.1:{port}: address already in use"


def test_an_address_that_is_not_ours_is_one_clear_line() -> None:
    """IPv6 stands in brackets."""
    with pytest.raises(StartupError, match=r"^listener udp \[2001:db8::1\]:5060: cannot assign requested address$"):
        bind("listener", "udp", "2001:db8::1", 5060)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_ipv4_and_ipv6_wildcards_may_have_the_same_port(transport: str) -> None:
    """An IPv6 listener leaves IPv4 to its own listener, whose Via says an IPv4 address."""
    with bind("listener", transport, "0.0.0.0", 0) as four:
        port = four.getsockname()[1]
        with bind("listener", transport, "::", port) as six:
            assert six.getsockname()[1] == port


def test_a_datagram_socket_asks_for_a_large_buffer() -> None:
    """Bursts wait in the kernel while the loop is busy: more than the default is asked for."""
    with bind("listener", "udp", "127.0.0.1", 0) as bound, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        asked, default = (each.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) for each in (bound, plain))
    assert asked >= default
