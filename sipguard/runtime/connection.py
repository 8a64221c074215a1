"""One TCP connection: octets in, framed messages out, and how long it has been silent.

It exists before the network has it (an outgoing one that is still being opened): what is written meanwhile waits.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

from sipguard.errors import MalformedMessage
from sipguard.runtime.addressing import plain_host
from sipguard.sip.flow import Flow
from sipguard.sip.framing import StreamFramer

_PART_OF_KEEP_ALIVE = 3  # octets; some peers end every message with one CRLF too many


class Keeper(Protocol):
    """Whoever holds the connections of a listener."""

    def opened(self, connection: "Connection", address: tuple[str, int]) -> bool:
        """A connection is up. False: it must go at once."""

    def received_on(self, connection: "Connection", items: list[bytes]) -> None:
        """Messages and keep-alives arrived."""

    def framing_lost(self, connection: "Connection", error: MalformedMessage) -> None:
        """The stream makes no sense any more."""

    def closed(self, connection: "Connection") -> None:
        """A connection that was up is gone."""


class Connection(asyncio.Protocol):
    """One stream. ``target`` is the address we opened it to, None for one a peer opened."""

    __slots__ = (
        "_began", "_clock", "_framer", "_keeper", "_listener", "_refused", "_spoke", "_transport", "_waiting",
        "_waiting_size", "address", "closing", "flow", "heard", "number", "target",
    )  # fmt: skip

    def __init__(
        self, keeper: Keeper, listener: int, number: int, target: tuple[str, int] | None, max_message: int,
        clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self.number = number
        self.target = target
        self.address: tuple[str, int] | None = None  # the remote one, once the connection is up
        self.flow = Flow(listener, "tcp", *(target or ("", 0)), number)
        self.heard = clock()  # when octets last came
        self.closing = False
        self._keeper = keeper
        self._listener = listener
        self._clock = clock
        self._framer = StreamFramer(max_message)
        self._transport: asyncio.Transport | None = None
        self._waiting: list[bytes] = []
        self._waiting_size = 0
        self._spoke = target is not None  # whether a whole message came; one we opened need not speak first
        self._began: float = self.heard  # when the unfinished message began
        self._refused = False

    def overdue(self, now: float, limit: float) -> bool:
        """Whether an unfinished message, or the first one, has taken longer than ``limit`` seconds."""
        return (self._framer.pending > _PART_OF_KEEP_ALIVE or not self._spoke) and now - self._began > limit

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
        self._transport.write(data)
        return True

    def close(self) -> None:
        """Close after what was written."""
        self.closing = True
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self.closing = True
        if self._transport is not None:
            self._transport.abort()

    # --- asyncio.Protocol

    def connection_made(self, made: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, made)  # uvloop's is one in all but class
        peer = transport.get_extra_info("peername")
        if not peer:
            self._refused = True
            transport.abort()
            return
        address = (plain_host(peer), peer[1])
        self._transport = transport
        if not self._keeper.opened(self, address):
            self._refused = True
            transport.abort()
            return
        self.address = address
        self.flow = Flow(self._listener, "tcp", *address, self.number)
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
        if not self._refused:
            self._keeper.closed(self)
