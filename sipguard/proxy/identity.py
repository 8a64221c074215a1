"""Who we are on the network: our listeners, and whether a host and port mean us (RFC 3261 §16.4).

A request for us is one whose URI names a bound or an advertised address of ours; Via and Record-Route use the
advertised one.
"""

from collections.abc import Sequence

from sipguard.sip.flow import WEBSOCKET, Flow, Listener
from sipguard.sip.uri import SipUri, default_port
from sipguard.sip.via import Via


class ProxyIdentity:
    """The proxy's own addresses, frozen."""

    __slots__ = ("_own", "_vias", "listeners", "sent_by")

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self.listeners = tuple(listeners)
        self.sent_by = tuple(f"{item.advertised_host}:{item.advertised_port}" for item in self.listeners)
        self._vias = {(item.advertised_host.lower(), item.advertised_port) for item in self.listeners}
        self._own: set[tuple[str, int]] = set()
        for item in self.listeners:
            self._own.update(_places(item))

    def wrote(self, via: Via) -> bool:
        """Whether a Via value says what ours do (RFC 3261 §18.1.2)."""
        return (via.host.lower(), via.port or default_port(via.transport.lower())) in self._vias

    def is_us(self, host: str, port: int | None) -> bool:
        """Whether ``host`` (IPv6 in brackets) and ``port`` (None: 5060) are an address of ours."""
        return (host.lower(), port or 5060) in self._own

    def means_us(self, uri: SipUri) -> bool:
        """Whether a SIP URI names this proxy."""
        host, port = uri.place
        return self.is_us(host, port)

    def listener_of(self, uri: SipUri) -> Listener | None:
        """The listener a URI of ours names: its address and its transport.

        A sip URI without transport that has the port of a TLS listener means that one: RFC 5630 §5.3 leaves no other
        way to write it. Where UDP has the same port, it is UDP. ``ws`` is said of ws
        and wss (RFC 7118 §5.2.2).
        """
        transport = uri.transport
        websocket = transport in WEBSOCKET
        place = uri.place
        by_port = None
        for item in self.listeners:
            if place in _places(item):
                if item.transport == (transport or "udp") or (websocket and item.transport in WEBSOCKET):
                    return item
                if transport is None and item.transport == "tls":
                    by_port = item
        return by_port

    def egress(self, transport: str, host: str, preferred: int, flow: Flow | None = None) -> Listener | None:
        """The listener to send from: the preferred one where transport and address family fit, else the first one.

        A flow has its own. Nobody can be dialled over a WebSocket.
        """
        if flow is not None:
            return self.listeners[flow.listener]
        if transport in WEBSOCKET:
            return None
        ipv6 = ":" in host
        first = None
        for item in self.listeners:
            if item.transport == transport and item.ipv6 is ipv6:
                if item.number == preferred:
                    return item
                first = first or item
        return first

    def stream_beside(self, datagrams: Listener) -> Listener | None:
        """The TCP listener for what is too large for a UDP one: at the same address, else of the same family."""
        first = None
        for item in self.listeners:
            if item.transport == "tcp" and item.ipv6 is datagrams.ipv6:
                if item.host == datagrams.host:
                    return item
                first = first or item
        return first

    def arrived_on(self, flow: Flow) -> Listener:
        """The listener a message came in on."""
        return self.listeners[flow.listener]


def _places(listener: Listener) -> tuple[tuple[str, int], tuple[str, int]]:
    """The bound and the advertised address of a listener, as URIs write them in lower case."""
    bound = f"[{listener.host}]" if listener.ipv6 else listener.host
    return (bound.lower(), listener.port), (listener.advertised_host.lower(), listener.advertised_port)
