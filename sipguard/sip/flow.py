"""Where a message came from and where it goes: the engine's only notion of a network.

A ``Flow`` is a listener of ours plus a remote address, and over TLS whom that address has proved, or must prove, to be;
the runtime turns it into sockets.
"""

from typing import NamedTuple

WEBSOCKET = frozenset(("ws", "wss"))  # RFC 7118: nobody can be dialled over them
OVER_TLS = frozenset(("tls", "wss"))
LARGEST_DATAGRAM = 65_507  # octets: what UDP over IPv4 carries
_DELIMITING = WEBSOCKET | {"udp"}


class Listener(NamedTuple):
    """One local address the proxy receives on, and the address it tells others (RFC 3261 §18.1.1 sent-by)."""

    number: int
    transport: str  # "udp" | "tcp" | "tls" | "ws" | "wss"
    host: str  # the bound address, IPv6 without brackets
    port: int
    advertised_host: str  # what Via and Record-Route say, IPv6 in brackets
    advertised_port: int
    parameter: bool = False  # a TLS listener whose neighbours need to be told transport=tls (RFC 5630 §5.3 forbids it)

    @property
    def ipv6(self) -> bool:
        """Whether the bound address is IPv6."""
        return ":" in self.host


class Flow(NamedTuple):
    """One direction-less path: listener number, transport, remote address, and the stream's number.

    ``connection`` is 0 for datagrams, and for a stream that is to be found or opened by its remote address.
    IPv4-mapped IPv6 addresses are given in IPv4 form (TRN-20), IPv6 without brackets. ``names`` are SIP domain
    identities in lower case (RFC 5922 §7): those the peer of a TLS connection has proved, or, where a connection is
    still to be found or opened, those of which it must prove one.
    """

    listener: int
    transport: str
    host: str
    port: int
    connection: int = 0
    names: tuple[str, ...] = ()

    @property
    def reliable(self) -> bool:
        """Whether the transport retransmits by itself (RFC 3261 §17)."""
        return self.transport != "udp"

    @property
    def delimiting(self) -> bool:
        """Whether the transport tells where a message ends: Content-Length may be absent then (RFC 3261 §18.3)."""
        return self.transport in _DELIMITING


class Send(NamedTuple):
    """Output: these octets leave on this flow."""

    flow: Flow
    data: bytes
