"""Callers that nobody can dial, with SIP written by hand: a browser at a WebSocket, a program behind a NAT.

As RFC 7118 has it, a browser's Via and Contact name a host that does not exist, and no message has a Content-Length.
"""

import secrets
import socket
import ssl
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from websockets import Subprotocol
from websockets.sync.client import connect

from scenarios import topology
from sipguard.sip.framing import StreamFramer

PATIENCE = 15.0  # seconds
HOST = "df7jal23ls0d.invalid"
SDP = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"
FROM = f"<sip:+{topology.OWNED}@pbx.example>;tag=caller"


class Caller(ABC):
    """One caller with one flow; ``transport`` and ``host`` are what its Via says."""

    def __init__(self, transport: str, host: str, contact: str) -> None:
        self._via = f"SIP/2.0/{transport} {host}"
        self._contact = f"Contact: {contact}"
        self._number = 0
        self._call_id = secrets.token_hex(4)
        self._called = f"<sip:+{topology.OUTSIDE}@sipguard.example>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """It goes."""

    @abstractmethod
    def hear(self) -> str:
        """The next message."""

    @abstractmethod
    def say(self, rows: tuple[str, ...], body: str) -> None:
        """Send a message."""

    def receive(self, start: str) -> str:
        """The next message that starts like this; others are passed over."""
        while not (message := self.hear()).startswith(start):
            pass
        return message

    def invite(self, call_id: str) -> None:
        """It calls."""
        self._call_id = call_id
        self.request("INVITE", f"sip:+{topology.OUTSIDE}@sipguard.example", "Content-Type: application/sdp", body=SDP)

    def accept(self, answer: str) -> tuple[str, list[str]]:
        """Acknowledge a 200; the peer's URI and the route set."""
        self._called = header(answer, "To")
        target, routes = uri_of(header(answer, "Contact")), [f"Route: {route}" for route in routes_of(answer)[::-1]]
        self._number -= 1
        self.request("ACK", target, *routes)
        return target, routes

    def request(self, method: str, uri: str, *more: str, body: str = "") -> None:
        """A request of the call."""
        self._number += 1
        rows = (
            f"{method} {uri} SIP/2.0",
            f"Via: {self._via};branch=z9hG4bK{self._call_id}{method}{self._number};rport",
            "Max-Forwards: 70",
            f"From: {FROM}",
            f"To: {self._called}",
            f"Call-ID: {self._call_id}",
            f"CSeq: {self._number} {method}",
            self._contact,
            *more,
        )
        self.say(rows, body)

    def answer(self, request: str, status: str, body: str = "") -> None:
        """Answer a request."""
        kept = [row for row in rows_of(request) if row.lower().startswith(("via", "from", "to:", "call-id", "cseq"))]
        more = ("Content-Type: application/sdp",) if body else ()
        self.say((f"SIP/2.0 {status}", *kept, self._contact, *more), body)


class Browser(Caller):
    """One page with one connection; it comes from acme's address."""

    def __init__(
        self, url: str, address: tuple[str, int], context: ssl.SSLContext | None = None, origin: str | None = None
    ) -> None:
        """``url`` is what the page was given, ``address`` where that leads."""
        super().__init__("WS" if context is None else "WSS", HOST, f"<sip:x7hq@{HOST};transport=ws>")
        raw = socket.create_connection(address, PATIENCE, (topology.ACME, 0))
        self._connecting = connect(
            url, sock=raw, ssl=context, origin=origin, subprotocols=[Subprotocol("sip")], proxy=None  # type: ignore[arg-type]
        )  # fmt: skip

    def __enter__(self) -> Self:
        self._connection = self._connecting.__enter__()
        return self

    def close(self) -> None:
        self._connecting.__exit__(None, None, None)

    def hear(self) -> str:
        message = self._connection.recv(PATIENCE)
        return message if isinstance(message, str) else message.decode("latin-1")

    def say(self, rows: tuple[str, ...], body: str) -> None:
        self._connection.send("\r\n".join((*rows, "", body)))

    def keep_alive(self) -> None:
        """A double CRLF, and the CRLF it asks for."""
        self._connection.send("\r\n\r\n")
        assert self._connection.recv(PATIENCE) == "\r\n"


class Program(Caller):
    """A program at an address, over TCP or UDP, whose Contact leads nowhere."""

    def __init__(self, transport: str, source: str, proxy: tuple[str, int], parameters: str = "") -> None:
        super().__init__(transport.upper(), "10.0.0.5", f"<sip:x7hq@10.0.0.5:5060{parameters}>")
        kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
        self._socket = socket.socket(socket.AF_INET, kind)
        self._socket.settimeout(PATIENCE)
        self._socket.bind((source, 0))
        self._socket.connect(proxy)
        self._framer = StreamFramer()
        self._heard: list[bytes] = []

    def close(self) -> None:
        self._socket.close()

    def hear(self) -> str:
        while not self._heard:
            octets = self._socket.recv(65_535)
            assert octets, "the connection was closed"
            self._heard = self._framer.feed(octets)
        return self._heard.pop(0).decode("latin-1")

    def say(self, rows: tuple[str, ...], body: str) -> None:
        self._socket.sendall("\r\n".join((*rows, f"Content-Length: {len(body)}", "", body)).encode("latin-1"))


def rows_of(message: str) -> list[str]:
    """The header rows."""
    return message.partition("\r\n\r\n")[0].split("\r\n")[1:]


def headers(message: str, name: str) -> list[str]:
    """The values of a header field, row by row."""
    rows = (row.partition(":") for row in rows_of(message))
    return [value.strip() for spelt, _, value in rows if spelt.lower() == name.lower()]


def header(message: str, name: str) -> str:
    """The first value of a header field."""
    return headers(message, name)[0]


def routes_of(message: str) -> list[str]:
    """The Record-Route values in their order."""
    return [value.strip() for row in headers(message, "Record-Route") for value in row.split(",")]


def uri_of(value: str) -> str:
    """The URI in a Contact."""
    return value.partition("<")[2].partition(">")[0]
