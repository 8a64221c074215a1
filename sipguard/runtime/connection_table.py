"""The connections of one listener, and which of them a message may leave on (RFC 5923).

A request uses a connection that we opened to that address for the same identities, or one whose peer has proved by a
certificate to be who is wanted: opened by us, or by a peer that offered it (``alias`` in its Via, RFC 5923 §8). A
connection without such a proof carries no requests but its own (TRN-06). A response whose connection is gone may use
any connection from its address.

When there are as many as there may be, one that a peer opened and never said anything on makes room, the oldest first:
strangers who only connect cannot keep anybody out (TRN-18).
"""

from sipguard.runtime.connection import Connection
from sipguard.runtime.domain_certificate import matches
from sipguard.sip.flow import Flow

_RESPONSE = b"SIP/"

Address = tuple[str, int]


class ConnectionTable:
    """All connections of one listener, those being opened too."""

    def __init__(self, most: int, most_per_host: int) -> None:
        self._most = most
        self._most_per_host = most_per_host
        self._all: dict[int, Connection] = {}
        self._opened: dict[Flow, Connection] = {}  # by us, by the flow asked for
        self._proved: dict[Address, Connection] = {}  # peers with a certificate, by where they take requests
        self._accepted: dict[Address, Connection] = {}
        self._per_host: dict[str, int] = {}
        self._mute: dict[int, Connection] = {}  # accepted and not heard from, oldest first

    def __len__(self) -> int:
        return len(self._all)

    def all(self) -> list[Connection]:
        """Every connection."""
        return list(self._all.values())

    @property
    def full(self) -> bool:
        """Whether there may be no more, and none that could make room."""
        return len(self._all) >= self._most and not self._mute

    def admits(self, host: str) -> bool:
        """Whether a host may open one more."""
        return not self.full and self._per_host.get(host, 0) < self._most_per_host

    def make_room(self) -> Connection | None:
        """The connection that must go for one more to come, if there is none to spare."""
        if len(self._all) < self._most or not self._mute:
            return None
        return self._mute.pop(next(iter(self._mute)))

    def heard(self, connection: Connection) -> None:
        """A peer said something."""
        self._mute.pop(connection.number, None)

    def numbered(self, number: int) -> Connection | None:
        """The connection of this number."""
        return self._all.get(number)

    def find(self, flow: Flow, data: bytes) -> Connection | None:
        """A connection that this message may leave on."""
        connection = self._opened.get(flow)
        if connection is not None and not connection.closing:
            return connection
        address = (flow.host, flow.port)
        connection = self._proved.get(address)
        if connection is not None and not connection.closing and _is_wanted(connection, flow):
            connection.carried.add(flow)
            return connection
        if data[:4] == _RESPONSE:
            connection = self._accepted.get(address)
            if connection is not None and not connection.closing:
                return connection
        return None

    def opening(self, connection: Connection) -> None:
        """We open one: what is sent to its target waits in it."""
        self._all[connection.number] = connection
        if connection.asked is not None:
            self._opened[connection.asked] = connection

    def up(self, connection: Connection, address: Address) -> None:
        """A connection is up."""
        self._all[connection.number] = connection
        self._per_host[address[0]] = self._per_host.get(address[0], 0) + 1
        if connection.asked is None:
            self._accepted[address] = connection
            self._mute[connection.number] = connection
        elif connection.flow.names:
            self._prove((connection.asked.host, connection.asked.port), connection)

    def alias(self, connection: Connection, port: int) -> None:
        """A peer with a certificate takes requests for this port of its address on its connection (RFC 5923 §8.2)."""
        if connection.address is not None and connection.flow.names and connection.alias is None:
            self._prove((connection.address[0], port), connection)

    def _prove(self, address: Address, connection: Connection) -> None:
        """Nobody takes the place of another: a second one there must be the same (RFC 5923 §6, requirement 4)."""
        known = self._proved.get(address)
        if known is None or known.closing or matches(known.flow.names, connection.flow.names):
            self._proved[address] = connection
            connection.alias = address

    def gone(self, connection: Connection) -> list[Flow] | None:
        """A connection is no more: the flows that are lost with it, or None when it was not here."""
        if self._all.pop(connection.number, None) is None:
            return None
        self._mute.pop(connection.number, None)
        lost = []
        address = connection.address
        if address is not None:
            if self._accepted.get(address) is connection:
                del self._accepted[address]
            held = self._per_host.get(address[0], 0) - 1
            if held > 0:
                self._per_host[address[0]] = held
            else:
                self._per_host.pop(address[0], None)
            lost.append(connection.flow)
        if connection.alias is not None and self._proved.get(connection.alias) is connection:
            del self._proved[connection.alias]
        asked = connection.asked
        if asked is not None and self._opened.get(asked) is connection:
            del self._opened[asked]
            lost.append(asked)
        return [*lost, *(connection.carried - {asked})]


def _is_wanted(connection: Connection, flow: Flow) -> bool:
    """Whether a peer has proved to be one of those that a flow wants, if it wants any in particular."""
    return not flow.names or matches(flow.names, connection.flow.names)
