"""Messages out of a byte stream (RFC 3261 §18.3): the head up to its empty line, then Content-Length octets.

The only fact read here is Content-Length, and only where a line starts, so that the framer and the parser see the same
rows. If it is missing, repeated or not a number nobody knows where the next message starts: the stream is lost.
``feed`` looks at each octet once, however slowly they drip in, and holds at most one message.
"""

import re

from sipguard.errors import MalformedMessage
from sipguard.sip.parser import parse

KEEP_ALIVE = b"\r\n\r\n"  # RFC 5626 §4.4.1: the peer wants one CRLF back

_LENGTH = re.compile(rb"\r\n(?:content-length|l)[ \t]*+:((?:[^\r\n]++|\r\n[ \t])*)", re.IGNORECASE)
_DIGITS = re.compile(rb"[0-9]{1,10}")
_WHITE = b" \t\r\n"


class StreamFramer:
    """One per stream. ``max_message`` bounds a message, head and body together, in octets."""

    __slots__ = ("_buffer", "_failure", "_max_message", "_needed", "_searched")

    def __init__(self, max_message: int = 65_535) -> None:
        self._max_message = max_message
        self._buffer = bytearray()
        self._searched = 0  # the buffer holds no end of a head before this index
        self._needed = 0  # length of the message the buffer starts with, 0 while its head is incomplete
        self._failure: MalformedMessage | None = None

    @property
    def broken(self) -> bool:
        """Whether framing is lost: the next ``feed`` (``feed(b"")`` will do) raises, and the stream must be closed."""
        return self._failure is not None

    @property
    def pending(self) -> int:
        """Octets of an unfinished message, so that a stream that stalls in the middle of one can be closed in time."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that ``data`` completes, in order; a keep-alive is the item ``KEEP_ALIVE``.

        Raises MalformedMessage (400 or 513, with what could be read of the message) when framing is lost. Whole
        messages before that point are returned first: then ``broken`` is true and the next call raises.
        """
        items: list[bytes] = []
        if self._failure is None:
            self._buffer += data
            try:
                while (item := self._next()) is not None:
                    items.append(item)
            except MalformedMessage as failure:
                self._failure = failure
                self._buffer.clear()
        if self._failure is not None and not items:
            raise self._failure
        return items

    def _next(self) -> bytes | None:
        """Take one item off the buffer, or None when it holds no whole one. Raises MalformedMessage."""
        buffer = self._buffer
        if not self._needed:
            while buffer.startswith(b"\r\n"):
                if buffer.startswith(KEEP_ALIVE):
                    del buffer[:4]
                    return KEEP_ALIVE
                if len(buffer) == 2 or buffer[2:] == b"\r":
                    return None  # perhaps the first half of a keep-alive
                del buffer[:2]
            end = buffer.find(b"\r\n\r\n", self._searched)
            if end < 0:
                if len(buffer) > self._max_message:
                    raise MalformedMessage(513, "Message Too Large")
                self._searched = max(0, len(buffer) - 3)
                return None
            self._needed = self._measure(bytes(buffer[: end + 4]))
        if len(buffer) < self._needed:
            return None
        message = bytes(buffer[: self._needed])
        del buffer[: self._needed]
        self._searched = self._needed = 0
        return message

    def _measure(self, head: bytes) -> int:
        """The length of the message with this head. Raises MalformedMessage."""
        lengths = _LENGTH.findall(head)
        if len(lengths) != 1:
            raise _lost(head, 400, "Repeated Content-Length" if lengths else "Missing Content-Length")
        text = lengths[0].strip(_WHITE)
        if not _DIGITS.fullmatch(text):
            raise _lost(head, 400, "Malformed Content-Length")
        needed = len(head) + int(text)
        if needed > self._max_message:
            raise _lost(head, 513, "Message Too Large")
        return needed


def _lost(head: bytes, status: int, phrase: str) -> MalformedMessage:
    """The error for a head after which framing is lost, with the message as far as it can be read."""
    try:
        return MalformedMessage(status, phrase, parse(head))
    except MalformedMessage as malformed:
        return MalformedMessage(status, phrase, malformed.message)
