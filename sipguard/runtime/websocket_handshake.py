"""The HTTP request that opens a WebSocket (RFC 6455 §4.2), and what we answer to it.

Only ``sip`` is spoken here (RFC 7118 §4.1): a client that does not offer that subprotocol is refused. A browser says in
Origin which page it acts for; that page must be on the listener's list, or any page in the world could place calls with
the rights of whoever looks at it (RFC 6455 §10.2). Who is no browser sends no Origin and passes.
"""

import base64
import binascii
from typing import NamedTuple

import h11
from wsproto.utilities import generate_accept_token

SUBPROTOCOL = "sip"
_VERSION = b"13"
_KEY_LENGTH = 16  # octets, RFC 6455 §4.1
_LARGEST = 8192  # octets of the request's head
_PHRASES = {400: "Bad Request", 403: "Forbidden", 405: "Method Not Allowed", 426: "Upgrade Required"}
_HINTS = {405: "Allow: GET\r\n", 426: "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"}


class Answered(NamedTuple):
    """The answer to the request: 101, or a refusal; ``rest`` are octets that came after it."""

    status: int
    octets: bytes
    rest: bytes = b""


class Handshake:
    """Reads one request, however it drips in."""

    __slots__ = ("_http", "_origins")

    def __init__(self, origins: frozenset[str]) -> None:
        """``origins`` are the pages that may connect, in lower case."""
        self._origins = origins
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_LARGEST)

    def feed(self, data: bytes) -> Answered | None:
        """Octets came. None while the request is incomplete."""
        if not data:
            return None  # to h11 no octets are the end of the stream
        try:
            self._http.receive_data(data)
            event = self._http.next_event()
        except h11.RemoteProtocolError:
            return _refused(400)
        if event is h11.NEED_DATA:
            return None
        if not isinstance(event, h11.Request):
            return _refused(400)
        fields: dict[str, list[str]] = {}
        for name, value in event.headers:
            fields.setdefault(name.decode("ascii"), []).append(value.decode("latin-1"))
        status = self._judge(event, fields)
        if status != 101:
            return _refused(status)
        return Answered(status, _accepted(fields["sec-websocket-key"][0]), self._http.trailing_data[0])

    def _judge(self, request: h11.Request, fields: dict[str, list[str]]) -> int:
        """101, or the status of a refusal."""
        if (
            request.http_version != b"1.1"
            or "transfer-encoding" in fields
            or fields.get("content-length", ["0"]) != ["0"]
        ):
            return 400
        if request.method != b"GET":
            return 405
        if "websocket" not in _tokens(fields, "upgrade") or "upgrade" not in _tokens(fields, "connection"):
            return 426
        if fields.get("sec-websocket-version") != [_VERSION.decode()]:
            return 426 if "sec-websocket-version" in fields else 400
        if len(fields.get("sec-websocket-key", ())) != 1 or not _is_key(fields["sec-websocket-key"][0]):
            return 400
        origins = fields.get("origin", [])
        if len(origins) > 1 or any(origin.lower() not in self._origins for origin in origins):
            return 403
        return 101 if SUBPROTOCOL in _tokens(fields, "sec-websocket-protocol") else 400


def _tokens(fields: dict[str, list[str]], name: str) -> list[str]:
    """The values of a list, in lower case."""
    return [token.strip(" \t").lower() for value in fields.get(name, ()) for token in value.split(",")]


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == _KEY_LENGTH
    except (binascii.Error, ValueError):
        return False


def _accepted(key: str) -> bytes:
    token = generate_accept_token(key.encode("ascii")).decode("ascii")
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {token}\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
    ).encode("ascii")


def _refused(status: int) -> Answered:
    connection = "Upgrade, close" if status == 426 else "close"
    head = f"HTTP/1.1 {status} {_PHRASES[status]}\r\n{_HINTS.get(status, '')}"
    return Answered(status, f"{head}Connection: {connection}\r\nContent-Length: 0\r\n\r\n".encode("ascii"))
