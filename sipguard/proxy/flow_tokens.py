"""Flow tokens (RFC 5626 §5.2): the name of a flow in our Record-Route URI, for neighbours that cannot be dialled.

A token names a connection by its number, which is never used twice while the engine lives, or a place (a UDP address
behind a NAT) in full. It is keyed with the node's secret and bound to its dialog's Call-ID, so that nobody can invent
one, and one call's token leads no other call anywhere. Only connections that were named are remembered, until they go:
there are never more of them than there are connections.
"""

import hashlib
import hmac
from collections.abc import Callable, Sequence

from sipguard.errors import ForgedToken, MalformedValue
from sipguard.policy.trunk import Trunk
from sipguard.sip.address import parse_address
from sipguard.sip.flow import WEBSOCKET, Flow, Listener
from sipguard.sip.message import Request
from sipguard.sip.uri import SipUri, parse_uri

_DIGEST = 10  # octets, as in the algorithm of RFC 5626 §5.2


def must_keep(trunk: Trunk, request: Request, flow: Flow) -> bool:
    """Whether later requests reach a neighbour only on the flow that this one of its came by.

    Nobody can be dialled over a WebSocket or behind a NAT, and over a stream a Contact with ``ob`` asks for it
    (RFC 5626 §5.3.2).
    """
    if trunk.behind_nat or not flow.reliable:
        return trunk.behind_nat
    return flow.transport in WEBSOCKET or _offers_flow(request)


def _offers_flow(request: Request) -> bool:
    contact = request.value("contact")
    if contact is None or ";ob" not in contact.lower():
        return False
    try:
        uri = parse_uri(parse_address(contact).uri)
    except MalformedValue:
        return False
    return isinstance(uri, SipUri) and "ob" in uri.parameters


class FlowTokens:
    """Writes and reads them. ``random`` gives fresh hexadecimal text."""

    __slots__ = ("_boot", "_listeners", "_named", "_random", "_secret")

    def __init__(self, secret: bytes, listeners: Sequence[Listener], random: Callable[[], str]) -> None:
        self._secret = secret
        self._listeners = listeners
        self._random = random
        self._boot = ""  # of this engine: numbers of connections start again with the next one
        self._named: dict[int, Flow] = {}

    def __len__(self) -> int:
        """How many connections are remembered."""
        return len(self._named)

    def write(self, flow: Flow, call_id: str) -> str:
        """The token for a flow: hexadecimal digits, ``-`` and ``.`` only."""
        if flow.connection:
            self._boot = self._boot or self._random()
            self._named[flow.connection] = flow
            payload = f"{self._boot}-{flow.connection:x}"
        else:
            text = " ".join((str(flow.listener), flow.transport, flow.host, str(flow.port), *flow.names))
            payload = text.encode("latin-1").hex()
        return f"{payload}.{self._digest(payload, call_id)}"

    def read(self, token: str, call_id: str) -> Flow | None:
        """The flow a token names; None when it is no more. Raises ForgedToken when we did not write it."""
        payload, _, digest = token.rpartition(".")
        if not hmac.compare_digest(digest.encode("latin-1"), self._digest(payload, call_id).encode("ascii")):
            raise ForgedToken
        boot, numbered, number = payload.partition("-")
        if numbered:
            return self._named.get(int(number, 16)) if boot == self._boot else None
        listener, transport, host, port, *names = bytes.fromhex(payload).decode("latin-1").split(" ")
        flow = Flow(int(listener), transport, host, int(port), 0, tuple(names))
        return flow if self._is_ours(flow) else None

    def is_up(self, flow: Flow) -> bool:
        """Whether a flow that was named is still there; a datagram finds its way, or does not."""
        return not flow.connection or flow.connection in self._named

    def lost(self, flow: Flow) -> None:
        """A connection is gone."""
        self._named.pop(flow.connection, None)

    def _is_ours(self, flow: Flow) -> bool:
        """Whether the listener is still what it was when an engine before this one wrote the token."""
        return flow.listener < len(self._listeners) and self._listeners[flow.listener].transport == flow.transport

    def _digest(self, payload: str, call_id: str) -> str:
        text = f"{payload}\n{call_id}".encode("latin-1")
        return hashlib.blake2b(text, key=self._secret, digest_size=_DIGEST, person=b"flow").hexdigest()
