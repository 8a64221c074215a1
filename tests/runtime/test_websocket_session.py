"""One WebSocket without a network: the handshake case by case, and what frames become."""

import pytest
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage

from sipguard.runtime.websocket_session import WebSocketSession

ORIGIN = "https://phone.example.com"
KEY, PROOF = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # those of RFC 6455 section 1.3
FIELDS = {
    "Host": "edge.example.com",
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": "sip",
}


def opening(*more: str, start: str = "GET /any/path?x=1 HTTP/1.1", **changes: str | None) -> bytes:
    """The request that opens a WebSocket; a field changed to None is left out."""
    fields = FIELDS | {name.replace("_", "-"): value for name, value in changes.items()}
    rows = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join((start, *rows, *more, "", "")).encode("latin-1")


class Pair:
    """A session of ours, and a client's frames towards it."""

    def __init__(self, max_message: int = 1000, *, opened: bool = True) -> None:
        self.replies = bytearray()
        self.session = WebSocketSession(frozenset((ORIGIN,)), max_message, self._replied)
        self.client = Connection(ConnectionType.CLIENT)
        if opened:
            assert self.session.feed(opening()) == []
            self.replies.clear()

    def _replied(self, octets: bytes) -> None:
        self.replies += octets

    def send(self, *events: Event) -> list[bytes]:
        """Frames from the client in one segment: the messages they make."""
        return self.session.feed(b"".join(self.client.send(event) for event in events))

    def heard(self) -> list[Event]:
        """What the session replied."""
        self.client.receive_data(bytes(self.replies))
        self.replies.clear()
        return list(self.client.events())

    def code(self) -> int:
        """With which code the session ended, alone."""
        assert self.session.ended
        (event,) = self.heard()
        assert isinstance(event, CloseConnection)
        return event.code


@pytest.mark.clause("TRN-15", "RFC 7118 4.1", "RFC 6455 4.2.2")
@pytest.mark.parametrize("cut", [1, 7, 10_000])
def test_the_handshake_names_sip(cut: int) -> None:
    """Any path, in any pieces: 101 with the proof of the key and the subprotocol, and no extension."""
    pair = Pair(opened=False)
    request = opening("Sec-WebSocket-Extensions: permessage-deflate", f"Origin: {ORIGIN}")
    for start in range(0, len(request), cut):
        assert not pair.session.open
        assert pair.session.feed(request[start : start + cut]) == []
    assert pair.session.open
    assert not pair.session.ended
    head = pair.replies.decode().split("\r\n")
    assert head[0] == "HTTP/1.1 101 Switching Protocols"
    assert "Sec-WebSocket-Protocol: sip" in head
    assert f"Sec-WebSocket-Accept: {PROOF}" in head
    assert not [row for row in head if row.lower().startswith("sec-websocket-extensions")]


REFUSALS = [
    (b"INVITE sip:a@b SIP/2.0\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),  # TLS where none is spoken
    (opening("Not a field"), 400),
    (opening(Host=None), 400),
    (opening("X: " + "x" * 9000)[:-4], 400),  # no end in sight
    (opening(start="GET / HTTP/1.0"), 400),
    (opening("Content-Length: 5"), 400),
    (opening("Transfer-Encoding: chunked"), 400),
    (opening(start="POST / HTTP/1.1"), 405),
    (opening(Upgrade=None, Connection=None), 426),
    (opening(Upgrade="h2c"), 426),
    (opening(Connection="keep-alive"), 426),
    (opening(Sec_WebSocket_Version="8"), 426),
    (opening(Sec_WebSocket_Version=None), 400),
    (opening(Sec_WebSocket_Key=None), 400),
    (opening(Sec_WebSocket_Key="c2hvcnQ="), 400),
    (opening(Sec_WebSocket_Key="not base64 at all"), 400),
    (opening("Sec-WebSocket-Key: " + KEY), 400),
    (opening(Sec_WebSocket_Protocol=None), 400),
    (opening(Sec_WebSocket_Protocol="msrp, xmpp"), 400),
    (opening("Origin: https://evil.example.com"), 403),
    (opening("Origin: https://phone.example.com.evil.example"), 403),
    (opening("Origin: http://phone.example.com"), 403),
    (opening("Origin: null"), 403),
    (opening(f"Origin: {ORIGIN}", f"Origin: {ORIGIN}"), 403),
]


@pytest.mark.clause("TRN-15", "RFC 7118 4.1", "RFC 6455 4.2.1", "RFC 6455 10.2")
@pytest.mark.parametrize(("request_octets", "status"), REFUSALS)
def test_a_bad_handshake_is_refused(request_octets: bytes, status: int) -> None:
    """What is no handshake for SIP from a page we know is refused with its status, and nothing after it is read."""
    pair = Pair(opened=False)
    pair.session.feed(request_octets)
    assert pair.replies.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"close" in pair.replies
    assert (b"\r\nUpgrade: websocket\r\n" in pair.replies) == (status == 426)
    assert pair.session.ended
    assert not pair.session.open
    pair.replies.clear()
    assert pair.session.feed(opening()) == []
    assert not pair.replies


def test_messages_may_follow_the_handshake_at_once() -> None:
    """A frame in the segment of the request is a message; the answer to the request is out before it."""
    pair = Pair(opened=False)
    frame = pair.client.send(TextMessage(data="OPTIONS"))
    assert pair.session.feed(opening() + frame) == [b"OPTIONS"]
    assert pair.replies.startswith(b"HTTP/1.1 101 ")


@pytest.mark.clause("TRN-15", "RFC 7118 4.2")
def test_one_message_is_one_message() -> None:
    """Text and binary, whole and in fragments with a ping between them: always the octets that were sent."""
    pair = Pair()
    assert pair.send(TextMessage(data="one é"), BytesMessage(data=b"two \xff")) == ["one é".encode(), b"two \xff"]
    assert pair.send(TextMessage(data="th", message_finished=False), Ping(payload=b"?")) == []
    assert pair.session.pending == 2
    assert pair.send(TextMessage(data="ree")) == [b"three"]
    assert pair.session.pending == 0
    (pong,) = pair.heard()
    assert isinstance(pong, Pong)
    assert pong.payload == b"?"


def test_one_octet_at_a_time() -> None:
    """A frame that drips in is one message."""
    pair = Pair()
    frame = pair.client.send(TextMessage(data="x" * 200))
    assert [pair.session.feed(frame[at : at + 1]) for at in range(len(frame))][-1] == [b"x" * 200]


@pytest.mark.clause("TRN-15", "RFC 7118 4.2")
@pytest.mark.parametrize(("message", "kind"), [(b"SIP/2.0 200 \xc3\xa9", TextMessage), (b"\xff", BytesMessage)])
def test_what_is_utf8_leaves_as_text(message: bytes, kind: type[Event]) -> None:
    """A message of UTF-8 octets is text, any other is binary; nothing is changed on the way."""
    pair = Pair()
    pair.replies += pair.session.wrap(message)
    (event,) = pair.heard()
    assert isinstance(event, TextMessage | BytesMessage)
    assert type(event) is kind
    assert (event.data.encode() if isinstance(event, TextMessage) else event.data) == message


@pytest.mark.clause("TRN-18")
@pytest.mark.parametrize("parts", [1, 2, 5])
def test_a_message_that_is_too_large_ends_it(parts: int) -> None:
    """One frame or many: beyond the limit nothing is kept, and the peer hears 1009."""
    pair = Pair(max_message=100)
    pieces = [TextMessage(data="x" * (110 // parts), message_finished=part == parts - 1) for part in range(parts)]
    assert pair.send(TextMessage(data="fits"), *pieces, TextMessage(data="late")) == [b"fits"]
    assert pair.code() == 1009


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"\x81\x02hi", 1002),  # not masked
        (b"\xf1\x80\0\0\0\0", 1002),  # reserved bits
        (b"\x83\x80\0\0\0\0", 1002),  # an operation nobody knows
        (b"\x80\x80\0\0\0\0", 1002),  # the rest of nothing
        (b"\x09\x80\0\0\0\0", 1002),  # half a ping
        (b"\x81\x81\0\0\0\0\xff", 1007),  # text that is no UTF-8
    ],
)
@pytest.mark.clause("RFC 6455 5.1", "RFC 6455 7.4.1")
def test_broken_frames_end_it(octets: bytes, code: int) -> None:
    """Frames against RFC 6455 end the session with the code that says why; messages before them count."""
    pair = Pair()
    before = pair.client.send(TextMessage(data="good"))
    assert pair.session.feed(before + octets + before) == [b"good"]
    assert pair.code() == code


@pytest.mark.clause("RFC 6455 5.5.1")
def test_closing_is_agreed_upon() -> None:
    """A peer's close is answered with its code, ours says that we go, and nothing is sent after either."""
    pair = Pair()
    pair.send(CloseConnection(code=1000))
    assert pair.code() == 1000
    assert (pair.session.wrap(b"late"), pair.session.ping(), pair.session.close()) == (b"", b"", b"")
    other = Pair()
    other.replies += other.session.close()
    assert other.code() == 1001
    assert other.client.state is ConnectionState.REMOTE_CLOSING
    assert other.session.wrap(b"late") == b""


def test_nothing_is_written_before_the_handshake() -> None:
    """Before it there is nobody to talk to."""
    pair = Pair(opened=False)
    assert (pair.session.wrap(b"x"), pair.session.ping(), pair.session.close()) == (b"", b"", b"")
    assert pair.session.feed(b"") == []


def test_an_empty_unfinished_message_is_one() -> None:
    """A first fragment without octets makes the peer owe the rest in time."""
    pair = Pair()
    pair.send(TextMessage(data="", message_finished=False))
    assert pair.session.pending == 1
