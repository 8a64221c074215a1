"""A WebSocket session takes any octets in any segments: it raises nothing, ends when they break the protocol, and gives
the same messages however they are cut.

The first four octets of the input say where to cut, over and over; the rest is what the client sends.
"""

from fuzz.targets.framing import segments
from sipguard.runtime.websocket_session import WebSocketSession

LIMIT = 512


def check(data: bytes) -> None:
    """The invariant, for one connection."""
    cuts, stream = data[:4], data[4:]
    whole = heard([stream])
    assert heard([stream[index : index + 1] for index in range(len(stream))]) == whole
    assert heard(segments(stream, cuts)) == whole


def heard(pieces: list[bytes]) -> tuple[list[bytes], bool, bool]:
    """The messages, whether the handshake is done, and whether the session is over."""
    replies: list[bytes] = []
    session = WebSocketSession(frozenset({"https://page.example"}), LIMIT, replies.append)
    messages: list[bytes] = []
    for piece in pieces:
        messages += session.feed(piece)
        assert session.pending <= LIMIT + 1
        if session.ended:
            break
    assert all(len(message) <= LIMIT for message in messages)
    assert session.open or not session.ended or replies[0].startswith(b"HTTP/1.1 4")
    if session.open and not session.ended:
        assert session.ping()
        assert session.close()
    return messages, session.open, session.ended
