"""TCP and TLS: connections that carry framed messages (RFC 3261 §18, RFC 5923). ``websocket`` builds on them.

A response goes back on the connection its request came by, found by its number; what else may use which connection is
for ``connection_table`` to say. Over TLS the listener shows its certificate, and a connection that we open is only used
when the peer has proved to be who the flow asks for (RFC 5922 §7.3).

Everything a peer could make us hold is bounded: connections in all and per address, handshakes, the octets of an
unfinished message, the time it may take, the time a connection may be silent, and what waits to be written. Limits of
time are enforced by one sweep a second over all connections instead of timers of their own.
"""

import asyncio
import itertools
import logging
import secrets
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from sipguard.errors import MalformedMessage, MalformedValue
from sipguard.runtime.addressing import is_mapped, socket_address
from sipguard.runtime.binding import BACKLOG
from sipguard.runtime.clock import Clock
from sipguard.runtime.connection import Connection
from sipguard.runtime.connection_table import ConnectionTable
from sipguard.runtime.domain_certificate import matches
from sipguard.runtime.driver import Driver
from sipguard.runtime.tls_acceptor import SHUTDOWN, TlsAcceptor, reason
from sipguard.sip.flow import Flow, Listener
from sipguard.sip.framing import KEEP_ALIVE, StreamFramer
from sipguard.sip.message import Request
from sipguard.sip.parser import parse
from sipguard.sip.response import build_response, stamp_received
from sipguard.sip.uri import TLS_PORT

logger = logging.getLogger(__name__)

_SWEEP = 1.0  # seconds
_FAREWELL = 1.0  # seconds for what was sent before the end to leave
_POLL = 0.01
_BACKLOG = 4  # messages at once, from which on a connection is asked what is still unread
next_number = itertools.count(1).__next__  # connection numbers are never used twice


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """What one listener lets its peers make it hold. Times in seconds, sizes in octets.

    ``idle_timeout`` exceeds Timer C (181 s), so that no connection is closed under a pending INVITE (TRN-07).
    """

    max_connections: int = 1000
    max_per_address: int = 250
    max_message: int = 65_535
    max_unwritten: int = 1024 * 1024
    message_timeout: float = 20.0  # from the first octet of a message to its last; also for a first message
    idle_timeout: float = 300.0
    connect_timeout: float = 4.0
    ping_interval: float = 0.0  # of silence on a connection we opened until it is pinged; 0: never
    pong_timeout: float = 10.0
    handshake_timeout: float = 5.0
    max_handshakes: int = 100


class TlsSide(Protocol):
    """The TLS contexts in force for one listener."""

    def accepting(self) -> ssl.SSLContext:
        """For a peer that connects."""

    def opening(self, names: tuple[str, ...]) -> ssl.SSLContext | None:
        """For a connection to who must prove one of these names; None when nobody could vouch for it."""


class StreamTransport:
    """One TCP or TLS listener and the connections opened from it."""

    def __init__(
        self, listener: Listener, bound: socket.socket, driver: Driver, loop: asyncio.AbstractEventLoop, clock: Clock,
        limits: StreamLimits, tls: TlsSide | None = None,
    ) -> None:  # fmt: skip
        self.name = listener.transport
        self.received = self.sent = self.dropped = self._failed = 0
        self._listener = listener
        self._bound = bound
        self._driver = driver
        self._loop = loop
        self._clock = clock
        self._limits = limits
        self._tls = tls
        self._here = Flow(listener.number, listener.transport, "", 0)
        self._table = ConnectionTable(limits.max_connections, limits.max_per_address)
        self._connecting: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._acceptor: TlsAcceptor | None = None
        self._sweeper: asyncio.TimerHandle | None = None

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._table)

    @property
    def failed(self) -> int:
        """Messages that could not be sent, connections that could not be opened, handshakes that failed."""
        return self._failed + (0 if self._acceptor is None else self._acceptor.failed)

    @property
    def handshakes(self) -> int:
        """TLS handshakes under way with peers that connected."""
        return 0 if self._acceptor is None else self._acceptor.handshakes

    async def start(self) -> None:
        """Begin to accept."""
        if self._tls is None:
            self._server = await self._loop.create_server(self._accepted, sock=self._bound, backlog=BACKLOG)
        else:
            limits = self._limits
            self._acceptor = TlsAcceptor(
                self._bound, self._tls.accepting, self._accepted, self._table.admits, limits.handshake_timeout,
                limits.max_handshakes,
            )  # fmt: skip
            self._acceptor.start()
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
        if self._acceptor is not None:
            await self._acceptor.close()
        for connection in self._table.all():
            connection.close()
        end = self._clock.monotonic() + _FAREWELL
        while self._table and self._clock.monotonic() < end:
            await asyncio.sleep(_POLL)
        for connection in self._table.all():
            connection.abort()

    def send(self, flow: Flow, data: bytes) -> None:
        """Send one message; a connection is opened for it when there is none to use. Failures go to the driver."""
        connection = self._table.numbered(flow.connection) if flow.connection else self._table.find(flow, data)
        if connection is None and not flow.connection:
            connection = self._open(flow)
        if connection is None:
            self._fail(flow)
        elif connection.write(data, self._limits.max_unwritten):
            self.sent += 1
        else:  # the peer does not read
            self.dropped += 1
            connection.abort()

    def disconnect(self, flow: Flow) -> None:
        """Close the flow's connection after what was sent."""
        connection = self._table.numbered(flow.connection)
        if connection is not None:
            connection.close()

    # --- told by connections

    def opened(self, connection: Connection, address: tuple[str, int]) -> bool:
        """A connection is up. False: there are too many, or over TLS it is not who was asked for; it must go."""
        asked = connection.asked
        if asked is None and not self._table.admits(address[0]):
            self.dropped += 1
            return False
        if asked is not None and asked.names and not matches(asked.names, connection.flow.names):
            return False
        if asked is None:
            self._make_room()
        self._table.up(connection, address)
        return True

    def received_on(self, connection: Connection, items: list[bytes]) -> None:
        """Messages arrived. Of many at once it is worth asking how long those behind them will wait."""
        self._table.heard(connection)
        flow = connection.flow
        began = self._clock.monotonic() if len(items) >= _BACKLOG else None
        for item in items:
            if item is KEEP_ALIVE or item == KEEP_ALIVE:
                connection.write(b"\r\n", self._limits.max_unwritten)  # RFC 5626 §4.4.1
            else:
                self.received += 1
                if flow.names and connection.alias is None:
                    self._alias(connection, item)
                self._driver.receive(item, flow)
        if began is not None:
            spent = self._clock.monotonic() - began
            self._driver.observe(spent * connection.unread() / sum(map(len, items)))
        self._driver.settle()

    def framing_lost(self, connection: Connection, error: MalformedMessage) -> None:
        """Nobody knows where the next message starts: answer what can be answered, and close (MSG-11)."""
        request = error.message
        if isinstance(request, Request) and request.method != "ACK" and request.has("via"):
            with suppress(MalformedValue):  # a Via nobody can read goes back as it came
                stamp_received(request, connection.flow)
            response = build_response(request, error.status, error.phrase, secrets.token_hex(8))
            connection.write(response.encode(), self._limits.max_unwritten)
        connection.close()

    def closed(self, connection: Connection) -> None:
        """A connection is gone, or could not be opened."""
        lost = self._table.gone(connection)
        if lost is None:
            return
        for flow in lost:
            self._driver.lost(flow)
        self._driver.settle()

    # --- inside

    def _fail(self, flow: Flow) -> None:
        self._failed += 1
        self._driver.lost(flow)

    def _make_room(self) -> None:
        mute = self._table.make_room()
        if mute is not None:
            self.dropped += 1
            mute.abort()

    def _accepted(self) -> Connection:
        return self._connection(None)

    def _connection(self, asked: Flow | None) -> Connection:
        flow = self._here if asked is None else asked
        framer = StreamFramer(self._limits.max_message)
        return Connection(self, next_number(), flow, asked, framer, self._clock.monotonic)

    def _alias(self, connection: Connection, item: bytes) -> None:
        """Remember that the peer takes requests on its connection, when the top Via of this one says so (RFC 5923)."""
        try:
            message = parse(item)
            via = message.via
        except (MalformedMessage, MalformedValue):
            return
        if isinstance(message, Request) and "alias" in via.parameters:
            self._table.alias(connection, via.port or TLS_PORT)

    def _open(self, flow: Flow) -> Connection | None:
        """A connection that is being opened: what is written to it waits. None when there may be none."""
        context = None
        if self._tls is not None:
            context = self._tls.opening(flow.names) if flow.names else None
            if context is None:
                fields = {
                    "target": [flow.host, flow.port],
                    "detail": "nothing to verify the peer's certificate against",
                }
                logger.warning("stream.unverifiable", extra={"fields": fields})
                return None
        if self._table.full:
            return None
        self._make_room()
        connection = self._connection(flow)
        self._table.opening(connection)
        task = self._loop.create_task(self._connect(connection, flow, context))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        return connection

    async def _connect(self, connection: Connection, flow: Flow, context: ssl.SSLContext | None) -> None:
        family = socket.AF_INET6 if ":" in self._listener.host else socket.AF_INET
        mapped = is_mapped(self._listener.host)
        outgoing = socket.socket(family, socket.SOCK_STREAM)
        outgoing.setblocking(False)
        tls: dict[str, Any] = {}
        if context is not None:  # the name is sent along (SNI) for peers that serve several domains (RFC 5922 §7.8)
            tls = {"ssl": context, "server_hostname": flow.names[0], "ssl_shutdown_timeout": SHUTDOWN}
        try:
            async with asyncio.timeout(self._limits.connect_timeout):
                outgoing.bind(socket_address(self._listener.host, 0))
                await self._loop.sock_connect(outgoing, socket_address(flow.host, flow.port, mapped=mapped))
                await self._loop.create_connection(lambda: connection, sock=outgoing, **tls)
            if connection.refused:
                raise ConnectionRefusedError(_stranger(connection))
        except (OSError, ValueError, OverflowError) as error:  # TimeoutError and SSLError are OSErrors
            outgoing.close()
            self._failed += 1
            fields = {"target": [flow.host, flow.port], "detail": reason(error)}
            logger.info("stream.unreachable", extra={"fields": fields})
            self.closed(connection)
        except asyncio.CancelledError:
            outgoing.close()
            raise

    def _sweep(self) -> None:
        """Close what is silent or slow for too long, and ping what may be gone."""
        now = self._clock.monotonic()
        limits = self._limits
        for connection in self._table.all():
            if (
                connection.overdue(now, limits.message_timeout)
                or now - connection.heard > limits.idle_timeout
                or (limits.ping_interval and not connection.keep_alive(now, limits.ping_interval, limits.pong_timeout))
            ):
                connection.abort()
        self._sweeper = self._loop.call_later(_SWEEP, self._sweep)


def _stranger(connection: Connection) -> str:
    """Who is there in place of whom."""
    asked = connection.asked
    wanted = ", ".join(asked.names) if asked is not None else ""
    return f"the certificate is for {', '.join(connection.flow.names) or 'nobody SIP knows'}, not for {wanted}"
