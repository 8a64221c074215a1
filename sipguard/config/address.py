"""Socket addresses and next hops as the configuration writes them: ``0.0.0.0:5060``, ``[::1]:5060``, a SIP URI.

Everything here raises ValueError with a sentence for the operator; pydantic adds the key.
"""

import ipaddress
import re
from typing import NamedTuple

from sipguard.errors import MalformedValue
from sipguard.policy.trunk import Target
from sipguard.sip.uri import SipUri, default_port, parse_uri

_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\.?", re.ASCII)
_SOCKET_ADDRESS = re.compile(r"(\[(?P<six>[^\]]+)\]|(?P<host>[^:\[\]]+))(:(?P<port>[0-9]{1,5}))?", re.ASCII)
TRANSPORTS = ("udp", "tcp", "tls")


class SocketAddress(NamedTuple):
    """A host (IPv6 without brackets) and a port."""

    host: str
    port: int

    @property
    def bracketed(self) -> str:
        """The host as SIP writes it, IPv6 in brackets."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def wildcard(self) -> bool:
        """Whether the address stands for every local address."""
        return is_address(self.host) and ipaddress.ip_address(self.host).is_unspecified

    def __str__(self) -> str:
        return f"{self.bracketed}:{self.port}"


def is_address(host: str) -> bool:
    """Whether the host is an IP address rather than a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def parse_socket_address(text: str, default_port: int | None = None, *, names: bool = False) -> SocketAddress:
    """Read ``host:port``; ``names`` allows a host name. Raises ValueError."""
    found = _SOCKET_ADDRESS.fullmatch(text)
    if found is None:
        raise ValueError(f'"{text}" is not an address and port like 192.0.2.1:5060 or [2001:db8::1]:5060')
    host = found["six"] or found["host"]
    if found["six"] and not (is_address(host) and ":" in host):
        raise ValueError(f'"{host}" is not an IPv6 address')
    if not is_address(host) and not (names and is_host_name(host)):
        raise ValueError(f'"{host}" is not an IP address' + (" or host name" if names else ""))
    if found["port"] is None and default_port is None:
        raise ValueError(f'"{text}" has no port')
    port = default_port if found["port"] is None else int(found["port"])
    if port is None or not 1 <= port <= 65535:
        raise ValueError(f'the port of "{text}" is not between 1 and 65535')
    return SocketAddress(str(ipaddress.ip_address(host)) if is_address(host) else host.lower(), port)


def is_host_name(host: str) -> bool:
    """Whether the text is a DNS host name; something made of digits and dots only is a mistyped address."""
    return _HOST_NAME.fullmatch(host) is not None and not re.fullmatch(r"[0-9.]+", host)


def parse_source(text: str) -> str:
    """Read an address or a network, in its usual form. Raises ValueError."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f'"{text}" is not an address or network like 203.0.113.5 or 203.0.113.0/24') from None
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def parse_target(text: str) -> Target:
    """Read a next hop, ``sip:host:port;transport=udp`` or ``sips:host``. Raises ValueError.

    What the URI leaves open is UDP and 5060 of an address, TLS and 5061 with sips, and for DNS to say of a name. Its
    parameters ``priority`` and ``weight`` are ours.
    """
    try:
        uri = parse_uri(text)
    except MalformedValue as error:
        raise ValueError(f'"{text}" is not a SIP URI ({error})') from None
    if not isinstance(uri, SipUri):
        raise ValueError(f'"{text}" is not a SIP URI like sip:192.0.2.20:5060;transport=udp')
    literal = is_address(uri.address_host)
    transport = uri.transport or ("udp" if literal else None)
    if transport is not None and transport not in TRANSPORTS:
        raise ValueError(f'"{text}" has transport "{transport}"; use udp, tcp or tls')
    if not (literal or is_host_name(uri.address_host)):
        raise ValueError(f'"{uri.address_host}" is not an IP address or host name')
    port = uri.port or (default_port(transport) if literal else None)
    priority, weight = _share(uri, "priority", 0), _share(uri, "weight", 1)
    if weight is not None and priority is None:
        raise ValueError(f'"{text}" has a weight but no priority; targets of one priority share the calls by weight')
    weight = 1 if weight is None else weight
    return Target(text, transport, uri.address_host, port, priority=priority, weight=weight)


def _share(uri: SipUri, name: str, least: int) -> int | None:
    """A number that we read from a target's URI parameter."""
    if name not in uri.parameters:
        return None
    value = uri.parameters[name] or ""
    if not re.fullmatch(r"[0-9]{1,5}", value) or not least <= int(value) <= 65535:
        raise ValueError(f'the {name} of "{uri.text}" is not a number from {least} to 65535')
    return int(value)
