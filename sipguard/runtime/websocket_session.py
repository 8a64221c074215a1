"""The server's side of one WebSocket: octets in, SIP messages out, one per WebSocket message (RFC 7118 §4.2).

Text and binary are the same here: a message is its octets. Extensions are not offered, so nothing is compressed and
what a peer sends is what it costs. Pings are answered, closing is agreed upon, a message that is too large or a frame
that breaks RFC 6455 ends the session with the code that says so.
"""

from collections.abc import Callable

from wsproto.connection import Connection as Frames
from wsproto.connection import ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage
from wsproto.frame_protocol import CloseReason

from sipguard.runtime.websocket_handshake import Handshake


class WebSocketSession:
    """Implements ``connection.Framer``. ``reply`` takes the octets that go back at once; it must not call back."""

    __slots__ = ("_frames", "_handshake", "_max_message", "_message", "_reply", "_unfinished", "ended")

    broken = False  # what is lost is answered here

    def __init__(self, origins: frozenset[str], max_message: int, reply: Callable[[bytes], None]) -> None:
        """``max_message`` bounds a message in octets."""
        self.ended = False  # whether the connection is to be closed after what was written
        self._reply = reply
        self._max_message = max_message
        self._handshake = Handshake(origins)
        self._frames: Frames | None = None
        self._message = bytearray()
        self._unfinished = False

    @property
    def open(self) -> bool:
        """Whether the handshake is done."""
        return self._frames is not None

    @property
    def pending(self) -> int:
        """Octets of an unfinished message; at least one when its first frame came empty."""
        return max(len(self._message), int(self._unfinished))

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that ``data`` completes, in order."""
        messages: list[bytes] = []
        if self.ended:
            return messages
        if self._frames is None:
            data = self._open(data)
        if self._frames is not None:
            self._frames.receive_data(data)
            for event in self._frames.events():
                self._take(self._frames, event, messages)
                if self.ended:
                    break
        return messages

    def wrap(self, message: bytes) -> bytes:
        """The frame of one message: text when its octets are UTF-8, binary otherwise (RFC 7118 §4.2)."""
        if self._frames is None or self._frames.state is not ConnectionState.OPEN:
            return b""
        try:
            return self._frames.send(TextMessage(data=message.decode("utf-8")))
        except UnicodeDecodeError:
            return self._frames.send(BytesMessage(data=message))

    def ping(self) -> bytes:
        """A ping."""
        if self._frames is None or self._frames.state is not ConnectionState.OPEN:
            return b""
        return self._frames.send(Ping())

    def close(self, code: int = CloseReason.GOING_AWAY) -> bytes:
        """Our side ends it: nothing is taken in any more."""
        self.ended = True
        if self._frames is None or self._frames.state is not ConnectionState.OPEN:
            return b""
        return self._frames.send(CloseConnection(code=code))

    def forget(self) -> None:
        """The connection is gone: nobody is replied to, and nothing leads back to it (no cycle is left)."""
        self.ended = True
        self._reply = _nobody

    def _open(self, data: bytes) -> bytes:
        """The handshake; returns what came after it."""
        answered = self._handshake.feed(data)
        if answered is None:
            return b""
        self._reply(answered.octets)
        if answered.status == 101:
            self._frames = Frames(ConnectionType.SERVER)
        else:
            self.ended = True
        return answered.rest

    def _take(self, frames: Frames, event: Event, messages: list[bytes]) -> None:
        if isinstance(event, TextMessage | BytesMessage):
            data = event.data.encode("utf-8") if isinstance(event, TextMessage) else event.data
            if len(self._message) + len(data) > self._max_message:
                self._reply(self.close(CloseReason.MESSAGE_TOO_BIG))
                return
            self._message += data
            self._unfinished = not event.message_finished
            if event.message_finished:
                messages.append(bytes(self._message))
                self._message.clear()
        elif isinstance(event, Ping):
            self._reply(frames.send(event.response()))
        elif isinstance(event, CloseConnection):  # the peer's, or for what it did wrong
            own = event.response() if frames.state is ConnectionState.REMOTE_CLOSING else CloseConnection(event.code)
            if frames.state in (ConnectionState.REMOTE_CLOSING, ConnectionState.OPEN):
                self._reply(frames.send(own))
            self.ended = True


def _nobody(_octets: bytes) -> None:
    """Takes replies that reach nobody."""
