"""However a stream is cut into segments, the framer gives the same messages and the same end, and the parser sees in
each message the length the framer saw.

The first eight octets of the input say where to cut, over and over; the rest is the stream.
"""

from itertools import cycle

from sipguard.errors import MalformedMessage
from sipguard.sip.framing import KEEP_ALIVE, StreamFramer
from sipguard.sip.parser import parse
from sipguard.sip.sanity import check as check_sanity

LIMIT = 4096


def check(data: bytes) -> None:
    """The invariant, for one stream."""
    cuts, stream = data[:8], data[8:]
    whole = framed([stream])
    assert framed([stream[index : index + 1] for index in range(len(stream))]) == whole
    assert framed(segments(stream, cuts)) == whole
    for item in whole[0]:
        if item != KEEP_ALIVE:
            agrees(item)


def framed(pieces: list[bytes]) -> tuple[list[bytes], bool, int]:
    """The messages, whether the stream is lost, and how much of an unfinished message is held."""
    framer = StreamFramer(LIMIT)
    items: list[bytes] = []
    for piece in pieces:
        try:
            items += framer.feed(piece)
        except MalformedMessage:
            assert framer.broken
        if framer.broken:
            break
        assert framer.pending <= LIMIT + len(piece)
    return items, framer.broken, framer.pending


def segments(stream: bytes, cuts: bytes) -> list[bytes]:
    """The stream in pieces of these lengths."""
    pieces = []
    for length in cycle(cuts or b"\1"):
        pieces.append(stream[: length + 1])
        stream = stream[length + 1 :]
        if not stream:
            return pieces
    raise AssertionError("unreachable")


def agrees(item: bytes) -> None:
    """If the parser takes it at all, the body is as long as it says: nothing slips from one message to the next."""
    assert len(item) <= LIMIT
    try:
        message = parse(item)
    except MalformedMessage:
        return
    complaint = ""
    try:
        check_sanity(message, datagram=False)
    except MalformedMessage as error:
        complaint = error.phrase
    assert "Content-Length" not in complaint
    assert int(message.required("content-length")) == len(message.body)
