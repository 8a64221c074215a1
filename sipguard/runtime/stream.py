"""TCP: connections that carry framed messages (RFC 3261 §18, RFC 5923).

A response goes back on the connection its request came by, found by its number. A request opens a connection of its own
or uses one that we opened before; a connection a peer opened carries no requests of ours (TRN-06: it proves nothing
about who listens at that address). Only a response whose connection is gone may use any connection from its address.

Everything a peer could make us hold is bounded: connections in all and per address, the octets of an unfinished
message, the time it may take, the time a connection may be silent, and what waits to be written. Limits of time are
enforced by one sweep a second over all connections instead of timers of their own.
"""

import asyncio
import itertools
import logging
import secrets
import socket
from dataclasses import dataclass

from sipguard.errors import MalformedMessage
from sipguard.runtime.addressing import is_mapped, socket_address
from sipguard.runtime.binding import BACKLOG
from sipguard.runtime.clock import Clock
from sipguard.runtime.connection import Connection
from sipguard.runtime.driver import Driver
from sipguard.sip.flow import Flow, Listener
from sipguard.sip.framing import KEEP_ALIVE
from sipguard.sip.message import Request
from sipguard.sip.response import build_response, stamp_received

logger = logging.getLogger(__name__)

_SWEEP = 1.0  # seconds
_FAREWELL = 1.0  # seconds for what was sent before the end to leave
_POLL = 0.01
_RESPONSE = b"SIP/"
_numbers = itertools.count(1)  # connection numbers are never used twice


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """What one listener lets its peers make it hold. Times in seconds, sizes in octets.

    ``idle_timeout`` exceeds Timer C (181 s), so that no connection is closed under a pending INVITE (TRN-07).
    """

    max_connections: int = 1000
    max_per_address: int = 250
    max_message: int = 65_535
    message_timeout: float = 20.0  # from the first octet of a message to its last; also for a first message
    idle_timeout: float = 300.0
    connect_timeout: float = 4.0
    max_unwritten: int = 1024 * 1024


class StreamTransport:
    """One TCP listener and the connections opened from it."""

    def __init__(
        self, listener: Listener, bound: socket.socket, driver: Driver, loop: asyncio.AbstractEventLoop, clock: Clock,
        limits: StreamLimits,
    ) -> None:  # fmt: skip
        self.received = self.sent = self.dropped = self.failed = 0
        self._listener = listener
        self._bound = bound
        self._driver = driver
        self._loop = loop
        self._clock = clock
        self._limits = limits
        self._connections: dict[int, Connection] = {}
        self._opened: dict[tuple[str, int], Connection] = {}  # by us, by remote address
        self._accepted: dict[tuple[str, int], Connection] = {}  # by remote address
        self._per_address: dict[str, int] = {}
        self._connecting: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.TimerHandle | None = None

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    async def start(self) -> None:
        """Begin to accept."""
        self._server = await self._loop.create_server(lambda: self._connection(None), sock=self._bound, backlog=BACKLOG)
        self._sweeper = self._loop.call_later(_SWEEP, self._sweep)

    async def close(self) -> None:
        """Stop accepting, close every connection after what was sent, free the port."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for task in self._connecting:
            task.cancel()
        if self._connecting:
            await asyncio.wait(self._connecting)
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections.values()):
            connection.close()
        end = self._clock.monotonic() + _FAREWELL
        while self._connections and self._clock.monotonic() < end:
            await asyncio.sleep(_POLL)
        for connection in list(self._connections.values()):
            connection.abort()

    def send(self, flow: Flow, data: bytes) -> None:
        """Send one message; a connection is opened for it when there is none to use. Failures go to the driver."""
        connection = self._connections.get(flow.connection) if flow.connection else self._by_address(flow, data)
        if connection is None and not flow.connection:
            connection = self._open(flow)
        if connection is None:
            self.failed += 1
            self._driver.lost(flow)
        elif connection.write(data, self._limits.max_unwritten):
            self.sent += 1
        else:  # the peer does not read
            self.dropped += 1
            connection.abort()

    def disconnect(self, flow: Flow) -> None:
        """Close the flow's connection after what was sent."""
        connection = self._connections.get(flow.connection)
        if connection is not None:
            connection.close()

    # --- told by connections

    def opened(self, connection: Connection, address: tuple[str, int]) -> bool:
        """A connection is up. False: there are too many, it must go."""
        if connection.target is None:
            held = self._per_address.get(address[0], 0)
            if len(self._connections) >= self._limits.max_connections or held >= self._limits.max_per_address:
                self.dropped += 1
                return False
            self._connections[connection.number] = connection
            self._accepted[address] = connection
        self._per_address[address[0]] = self._per_address.get(address[0], 0) + 1
        return True

    def received_on(self, connection: Connection, items: list[bytes]) -> None:
        """Messages arrived."""
        flow = connection.flow
        for item in items:
            if item is KEEP_ALIVE or item == KEEP_ALIVE:
                connection.write(b"\r\n", self._limits.max_unwritten)  # RFC 5626 §4.4.1
            else:
                self.received += 1
                self._driver.receive(item, flow)
        self._driver.settle()

    def framing_lost(self, connection: Connection, error: MalformedMessage) -> None:
        """Nobody knows where the next message starts: answer what can be answered, and close (MSG-11)."""
        request = error.message
        if isinstance(request, Request) and request.method != "ACK":
            stamp_received(request, connection.flow)
            response = build_response(request, error.status, error.phrase, secrets.token_hex(8))
            connection.write(response.encode(), self._limits.max_unwritten)
        connection.close()

    def closed(self, connection: Connection) -> None:
        """A connection is gone, or could not be opened."""
        if self._connections.pop(connection.number, None) is None:
            return
        address = connection.address
        if address is not None:
            if self._accepted.get(address) is connection:
                del self._accepted[address]
            held = self._per_address.get(address[0], 0) - 1
            if held > 0:
                self._per_address[address[0]] = held
            else:
                self._per_address.pop(address[0], None)
            self._driver.lost(connection.flow)
        target = connection.target
        if target is not None and self._opened.get(target) is connection:
            del self._opened[target]
            self._driver.lost(Flow(self._listener.number, "tcp", *target))
        self._driver.settle()

    # --- inside

    def _connection(self, target: tuple[str, int] | None) -> Connection:
        number = next(_numbers)
        return Connection(self, self._listener.number, number, target, self._limits.max_message, self._clock.monotonic)

    def _by_address(self, flow: Flow, data: bytes) -> Connection | None:
        address = (flow.host, flow.port)
        connection = self._opened.get(address)
        if connection is None and data[:4] == _RESPONSE:
            connection = self._accepted.get(address)
        return None if connection is None or connection.closing else connection

    def _open(self, flow: Flow) -> Connection | None:
        """A connection that is being opened: what is written to it waits."""
        if len(self._connections) >= self._limits.max_connections:
            return None
        target = (flow.host, flow.port)
        connection = self._connection(target)
        self._connections[connection.number] = connection
        self._opened[target] = connection
        task = self._loop.create_task(self._connect(connection, target))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        return connection

    async def _connect(self, connection: Connection, target: tuple[str, int]) -> None:
        family = socket.AF_INET6 if ":" in self._listener.host else socket.AF_INET
        mapped = is_mapped(self._listener.host)
        outgoing = socket.socket(family, socket.SOCK_STREAM)
        outgoing.setblocking(False)
        try:
            async with asyncio.timeout(self._limits.connect_timeout):
                outgoing.bind(socket_address(self._listener.host, 0))
                await self._loop.sock_connect(outgoing, socket_address(*target, mapped=mapped))
                await self._loop.create_connection(lambda: connection, sock=outgoing)
        except (OSError, ValueError, OverflowError) as error:  # TimeoutError is an OSError
            outgoing.close()
            self.failed += 1
            logger.info("stream.unreachable", extra={"fields": {"target": list(target), "detail": str(error)}})
            self.closed(connection)
        except asyncio.CancelledError:
            outgoing.close()
            raise

    def _sweep(self) -> None:
        """Close what is silent or slow for too long."""
        now = self._clock.monotonic()
        limits = self._limits
        for connection in list(self._connections.values()):
            if connection.overdue(now, limits.message_timeout) or now - connection.heard > limits.idle_timeout:
                connection.abort()
        self._sweeper = self._loop.call_later(_SWEEP, self._sweep)
