"""Addresses as flows write them and as sockets want them."""

import pytest

from sipguard.runtime.addressing import is_mapped, plain_host, socket_address


@pytest.mark.clause("TRN-20")
@pytest.mark.parametrize(
    ("address", "host"),
    [
        (("192.0.2.1", 5060), "192.0.2.1"),
        (("::ffff:127.0.0.1", 5060, 0, 0), "127.0.0.1"),
        (("2001:db8::1", 5060, 0, 0), "2001:db8::1"),
        (("fe80::1", 5060, 0, 2), "fe80::1%2"),
        (("fe80::1%eth0", 5060, 0, 2), "fe80::1%eth0"),
    ],
)
def test_a_flow_has_one_spelling_of_an_address(address: tuple[object, ...], host: str) -> None:
    """A mapped address stands in its IPv4 form, a link-local one keeps its scope."""
    assert plain_host(address) == host


@pytest.mark.clause("TRN-20")
def test_a_flows_host_leads_back_to_its_socket_address() -> None:
    """What was received from can be sent to."""
    assert socket_address("192.0.2.1", 1) == ("192.0.2.1", 1)
    assert socket_address("192.0.2.1", 1, mapped=True) == ("::ffff:192.0.2.1", 1, 0, 0)
    assert socket_address("2001:db8::1", 1) == ("2001:db8::1", 1, 0, 0)
    assert socket_address("fe80::1%2", 1) == ("fe80::1", 1, 0, 2)
    with pytest.raises(ValueError, match="eth0"):
        socket_address("fe80::1%eth0", 1)


@pytest.mark.parametrize(("host", "mapped"), [("127.0.0.1", False), ("::1", False), ("::ffff:127.0.0.1", True)])
def test_mapped_addresses_are_known(host: str, mapped: bool) -> None:
    """Only an IPv6 form of an IPv4 address is a mapped one."""
    assert is_mapped(host) is mapped
