"""WebSocket listeners, plain and over TLS (RFC 7118): SIP for browsers.

They are streams like the others, with the same limits; what differs is here. Nobody can be dialled over a WebSocket, so
what is sent leaves on the very connection its flow names, or not at all. A browser's page cannot send pings, so we do:
a peer that has spoken SIP is kept, one that only holds its connection open is not.
"""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import replace

from sipguard.runtime.clock import Clock
from sipguard.runtime.connection import Connection, Keeper
from sipguard.runtime.driver import Driver
from sipguard.runtime.stream import StreamLimits, StreamTransport, TlsSide, next_number
from sipguard.runtime.websocket_session import WebSocketSession
from sipguard.sip.flow import Flow, Listener

_PINGS_WITHIN_IDLE = 3  # in the time a silent connection is kept, unless ``ping_interval`` says how often


class WebSocketConnection(Connection):
    """One WebSocket, opened by its peer."""

    __slots__ = ("_limits", "_opened", "_session")

    def __init__(
        self, keeper: Keeper, number: int, flow: Flow, origins: frozenset[str], limits: StreamLimits,
        clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self._session = WebSocketSession(origins, limits.max_message, self._reply)
        super().__init__(keeper, number, flow, None, self._session, clock)
        self._limits = limits
        self._opened = self.heard

    def overdue(self, now: float, limit: float) -> bool:
        """Whether the handshake, or an unfinished message, or saying anything at all, has taken too long."""
        if not self._session.open:
            return now - self._opened > self._limits.handshake_timeout
        if self._session.pending:
            return now - self._began > limit
        return not self._spoke and now - self._opened > self._limits.idle_timeout

    def keep_alive(self, now: float, interval: float, limit: float) -> bool:
        """Ping after ``interval`` silent seconds (RFC 7118 §6). False when nothing came back for ``limit`` seconds."""
        if self._pinged is not None:
            return now - self._pinged <= limit
        if self._spoke and now - max(self.heard, self._wrote) >= interval:
            self._pinged = now
            self._reply(self._session.ping())
        return True

    def write(self, data: bytes, most_unwritten: int) -> bool:
        """Write one message. False when the peer leaves too much unread."""
        return super().write(self._session.wrap(data), most_unwritten)

    def close(self) -> None:
        """Close after what was written, and say so."""
        if not self.closing:
            self._reply(self._session.close())
        super().close()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._session.ended and not self.closing:
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._session.forget()

    def _reply(self, octets: bytes) -> None:
        """What the session says by itself; a peer that asks and does not read is cut off."""
        if octets and not super().write(octets, self._limits.max_unwritten):
            self.abort()


class WebSocketTransport(StreamTransport):
    """One WebSocket listener. ``origins`` are the pages that may connect, in lower case."""

    def __init__(
        self, listener: Listener, bound: socket.socket, driver: Driver, loop: asyncio.AbstractEventLoop, clock: Clock,
        limits: StreamLimits, origins: frozenset[str], tls: TlsSide | None = None,
    ) -> None:  # fmt: skip
        pings = limits.ping_interval or limits.idle_timeout / _PINGS_WITHIN_IDLE
        super().__init__(listener, bound, driver, loop, clock, replace(limits, ping_interval=pings), tls)
        self._origins = origins

    def send(self, flow: Flow, data: bytes) -> None:
        """Send one message on the connection the flow names; without one it is lost."""
        if flow.connection:
            super().send(flow, data)
        else:
            self._fail(flow)

    def _accepted(self) -> Connection:
        return WebSocketConnection(self, next_number(), self._here, self._origins, self._limits, self._clock.monotonic)
