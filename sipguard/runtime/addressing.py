"""Socket addresses as the engine and the kernel each want them.

In a flow an IPv4-mapped address stands in its IPv4 form, so that it compares equal everywhere (TRN-20), and a
link-local address carries its scope (``fe80::1%2``), without which it leads nowhere.
"""

import ipaddress
from typing import Any

_MAPPED = "::ffff:"


def plain_host(address: tuple[Any, ...]) -> str:
    """The host of a socket address of either family, as flows write it."""
    host: str = address[0]
    if len(address) == 2:
        return host
    if host.startswith(_MAPPED) and "." in host:
        return host[len(_MAPPED) :]
    if address[3] and "%" not in host:
        return f"{host}%{address[3]}"
    return host


def socket_address(host: str, port: int, *, mapped: bool = False) -> tuple[Any, ...]:
    """The address to give to a socket; ``mapped`` when an IPv4 host is reached through an IPv6 socket.

    Raises ValueError for a scope that is not a number.
    """
    if ":" not in host:
        return (_MAPPED + host, port, 0, 0) if mapped else (host, port)
    host, _, scope = host.partition("%")
    return (host, port, 0, int(scope or "0"))


def is_mapped(host: str) -> bool:
    """Whether this is an IPv4-mapped IPv6 address."""
    return ":" in host and ipaddress.IPv6Address(host.partition("%")[0]).ipv4_mapped is not None
