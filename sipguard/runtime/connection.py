"""One connection of a stream listener: octets in, framed messages out, and how long it has been silent.

It exists before the network has it (an outgoing one that is still being opened): what is written meanwhile waits until
it is up, and over TLS until the peer has proved to be the one it is meant for.
"""

import asyncio
from array import array
from collections.abc import Callable
from contextlib import suppress
from fcntl import ioctl
from termios import FIONREAD
from typing import Protocol, cast

from sipguard.errors import MalformedMessage
from sipguard.runtime.addressing import plain_host
from sipguard.runtime.domain_certificate import peer_identities
from sipguard.sip.flow import OVER_TLS, Flow
from sipguard.sip.framing import KEEP_ALIVE

_PART_OF_KEEP_ALIVE = 3  # octets; some peers end every message with one CRLF too many
_PONG = b"\r\n"


class Framer(Protocol):
    """Takes a stream apart; ``sip.framing.StreamFramer`` does it by Content-Length."""

    @property
    def broken(self) -> bool:
        """Whether the next ``feed`` raises."""

    @property
    def pending(self) -> int:
        """Octets of an unfinished message."""

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that ``data`` completes. Raises MalformedMessage when nobody knows where the next one starts."""


class Keeper(Protocol):
    """Whoever holds the connections of a listener."""

    def opened(self, connection: "Connection", address: tuple[str, int]) -> bool:
        """A connection is up, and ``flow`` says with whom. False: it must go at once."""

    def received_on(self, connection: "Connection", items: list[bytes]) -> None:
        """Messages and keep-alives arrived."""

    def framing_lost(self, connection: "Connection", error: MalformedMessage) -> None:
        """The stream makes no sense any more."""

    def closed(self, connection: "Connection") -> None:
        """A connection that was up is gone."""


class Connection(asyncio.Protocol):
    """One stream.

    ``asked`` is the flow we opened it for, None for one a peer opened; ``carried`` are other flows whose requests it
    took. ``alias`` is the address whose requests it may take because the peer has proved who it is.
    """

    __slots__ = (
        "_began", "_clock", "_framer", "_keeper", "_pinged", "_spoke", "_transport", "_waiting", "_waiting_size",
        "_wrote", "address", "alias", "asked", "carried", "closing", "flow", "heard", "number", "refused",
    )  # fmt: skip

    def __init__(
        self, keeper: Keeper, number: int, flow: Flow, asked: Flow | None, framer: Framer, clock: Callable[[], float]
    ) -> None:
        """``flow`` has the listener and the transport; the rest of it is known when the connection is up."""
        self.number = number
        self.asked = asked
        self.carried: set[Flow] = set()
        self.alias: tuple[str, int] | None = None
        self.address: tuple[str, int] | None = None  # the remote one, once the connection is up
        self.flow = flow._replace(connection=number)
        self.heard = clock()  # when octets last came
        self.closing = False
        self.refused = False  # by the keeper, when it came up
        self._keeper = keeper
        self._clock = clock
        self._framer = framer
        self._transport: asyncio.Transport | None = None
        self._waiting: list[bytes] = []
        self._waiting_size = 0
        self._spoke = asked is not None  # whether a whole message came; one we opened need not speak first
        self._began: float = self.heard  # when the unfinished message began
        self._wrote: float = self.heard
        self._pinged: float | None = None  # when a pong was asked for that has not come

    def overdue(self, now: float, limit: float) -> bool:
        """Whether an unfinished message, or the first one, has taken longer than ``limit`` seconds."""
        return (self._framer.pending > _PART_OF_KEEP_ALIVE or not self._spoke) and now - self._began > limit

    def keep_alive(self, now: float, interval: float, limit: float) -> bool:
        """Ping the peer of a connection we opened after ``interval`` silent seconds (RFC 5626 §4.4.1).

        False when a ping has been without its pong for ``limit`` seconds.
        """
        if self._pinged is not None:
            return now - self._pinged <= limit
        if self.asked is not None and self._transport is not None and now - max(self.heard, self._wrote) >= interval:
            self._pinged = self._wrote = now
            self._transport.write(KEEP_ALIVE)
        return True

    def write(self, data: bytes, most_unwritten: int) -> bool:
        """Write, or keep until the connection is up. False when the peer leaves too much unread."""
        if self._transport is None:
            self._waiting_size += len(data)
            self._waiting.append(data)
            return self._waiting_size <= most_unwritten
        if self.closing or self._transport.is_closing():
            return True  # its end is told by ``closed``
        if self._transport.get_write_buffer_size() + len(data) > most_unwritten:
            return False
        self._wrote = self._clock()
        self._transport.write(data)
        return True

    def unread(self) -> int:
        """How many octets the kernel holds for us; over TLS with their cover."""
        channel = None if self._transport is None else self._transport.get_extra_info("socket")
        if channel is None:
            return 0
        size = array("i", (0,))
        try:
            ioctl(channel.fileno(), FIONREAD, size)
        except OSError:
            return 0
        return size[0]

    def close(self) -> None:
        """Close after what was written."""
        self.closing = True
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self.closing = True
        if self._transport is not None:
            _abort(self._transport)

    # --- asyncio.Protocol

    def connection_made(self, made: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, made)  # uvloop's is one in all but class
        peer = transport.get_extra_info("peername")
        if not peer:
            self.refused = True
            _abort(transport)
            return
        address = (plain_host(peer), peer[1])
        self._transport = transport
        names = peer_identities(transport.get_extra_info("ssl_object")) if self.flow.transport in OVER_TLS else ()
        self.flow = self.flow._replace(host=address[0], port=address[1], names=names)
        if not self._keeper.opened(self, address):
            self.refused = True
            _abort(transport)
            return
        self.address = address
        self.heard = self._began = self._clock()
        for data in self._waiting:
            transport.write(data)
        self._waiting = []
        if self.closing:
            transport.close()

    def data_received(self, data: bytes) -> None:
        if self.closing:
            return
        self.heard = self._clock()
        if self._pinged is not None:
            self._pinged = None
            if not self._framer.pending and data[:2] == _PONG and data[:4] != KEEP_ALIVE:
                data = data[2:]  # two pongs in a row are no ping
        if not self._framer.pending:
            self._began = self.heard
        try:
            items = self._framer.feed(data)
            if items:
                self._spoke = True
                self._began = self.heard
                self._keeper.received_on(self, items)
            if self._framer.broken:
                self._framer.feed(b"")
        except MalformedMessage as error:
            self._keeper.framing_lost(self, error)

    def pause_writing(self) -> None:
        """The peer does not read what we answer: then we do not read what it asks."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._transport is not None and not self.closing:
            self._transport.resume_reading()

    def connection_lost(self, _error: Exception | None) -> None:
        self.closing = True
        if not self.refused:
            self._keeper.closed(self)


def _abort(transport: asyncio.Transport) -> None:
    """Close at once. Python 3.11.2's TLS transport has nothing left to abort once it is closed, and says so."""
    with suppress(AttributeError):
        transport.abort()
