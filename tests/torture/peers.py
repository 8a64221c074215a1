"""Neighbours on real sockets for the torture messages: a stranger that sends them, a customer whose calls must work.

A response over UDP goes to the source address and the port of the topmost Via (RFC 3261 §18.2.2), which in a torture
message is whatever the RFC printed. So each message is sent from an address of its own in 127.64.0.0/10, and that
address listens on every port a torture Via names: nothing of one case is heard in another, and processes beside this
one do not meet. Over TCP the answer comes back on the connection.
"""

import contextlib
import random
import select
import socket
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from scenarios.trace import Traced
from sipguard.sip.framing import StreamFramer
from tests.runtime.live_node import NUMBER, LiveNode

PATIENCE = 5.0  # seconds for something that must come
PORTS = (5060, 5070, 6050, 9, 19823)  # what the topmost Vias of the corpus name; 5060 is where cases are sent from
STRANGERS = "127.64.0.0/10"
_random = random.SystemRandom()  # never Hypothesis' or a test's seed: two processes must differ


class Datagrams:
    """A stranger over UDP."""

    def __init__(self, node: LiveNode) -> None:
        self._node = node
        self._sockets = _strangers_sockets()
        self.host = self._sockets[0].getsockname()[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for each in self._sockets:
            each.close()

    def send(self, data: bytes) -> None:
        """To the proxy, from port 5060."""
        self._sockets[0].sendto(data, self._node.proxy)

    def hear(self, seconds: float = PATIENCE) -> bytes | None:
        """The next datagram, to whichever port; None when none comes in time. 0 looks at what is there already."""
        ready = select.select(self._sockets, [], [], seconds)[0]
        return ready[0].recv(65_535) if ready else None


class Stream:
    """A stranger over TCP, or a customer when ``host`` is one's."""

    def __init__(self, node: LiveNode, host: str | None = None) -> None:
        self._framer = StreamFramer()
        self._heard: list[bytes] = []
        self.closed = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.bind((_stranger() if host is None else host, 0))
        self._socket.settimeout(PATIENCE)
        self._socket.connect(node.proxy)
        self.host, self.port = self._socket.getsockname()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """To the proxy."""
        self._socket.sendall(data)

    def hear(self, seconds: float = PATIENCE) -> bytes | None:
        """The next message; None when none comes in time, or the proxy closes (then ``closed`` is true)."""
        end = time.monotonic() + seconds
        while not self._heard and not self.closed:
            if not select.select([self._socket], [], [], max(0.0, end - time.monotonic()))[0]:
                break
            self._read()
        return self._heard.pop(0) if self._heard else None

    def next_text(self) -> str:
        """The next message, which must come."""
        heard = self.hear()
        assert heard is not None, "nothing was heard"
        return heard.decode("latin-1")

    def _read(self) -> None:
        data = b""
        with contextlib.suppress(ConnectionResetError):
            data = self._socket.recv(65_535)
        if data:
            self._heard += self._framer.feed(data)
        else:
            self.closed = True


class Customer:
    """Calls from the account's own number: over UDP from the customer of the node, or on a stream."""

    def __init__(self, node: LiveNode, stream: Stream | None = None) -> None:
        self._node = node
        self._stream = stream

    def call(self, call_id: str) -> None:
        """INVITE, 200, ACK, BYE, 200, with the carrier behind the proxy taking part in each; anything else fails."""
        uri = f"sip:+14155550199@127.0.0.1:{self._node.port}"
        self._send("INVITE", uri, f"<{uri}>", call_id)
        self._carrier_answers("INVITE", call_id)
        answer = self._final(call_id, "INVITE")
        to, uri = answer.header("To") or "", (answer.header("Contact") or "").strip("<>")
        routes = [f"Route: {value}" for value in reversed(answer.headers("Record-Route"))]
        self._send("ACK", uri, to, call_id, routes)
        assert self._node.carrier.receive("ACK ").count(f"\r\nCall-ID: {call_id}\r\n") == 1
        self._send("BYE", uri, to, call_id, routes)
        self._carrier_answers("BYE", call_id)
        self._final(call_id, "BYE")

    def _carrier_answers(self, method: str, call_id: str) -> None:
        request = self._node.carrier.receive(f"{method} ")
        assert f"\r\nCall-ID: {call_id}\r\n" in request, "a request nobody expected reached the carrier"
        self._node.carrier.answer(request, "200 OK", self._node.proxy)

    def _send(self, method: str, uri: str, to: str, call_id: str, routes: Sequence[str] = ()) -> None:
        here = self._node.customer if self._stream is None else self._stream
        lines = (
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/{'UDP' if self._stream is None else 'TCP'} {here.host}:{here.port}"
            f";branch=z9hG4bK{method}{call_id};rport",
            *routes,
            "Max-Forwards: 70",
            f"From: <sip:{NUMBER}@{here.host}>;tag=1",
            f"To: {to}",
            f"Call-ID: {call_id}",
            f"CSeq: {2 if method == 'BYE' else 1} {method}",
            f"Contact: <sip:{here.host}:{here.port}>",
            "Content-Length: 0",
        )
        data = "\r\n".join((*lines, "", "")).encode()
        if self._stream is None:
            self._node.customer.socket.sendto(data, self._node.proxy)
        else:
            self._stream.send(data)

    def _final(self, call_id: str, method: str) -> Traced:
        """The 200 to a request of this call; answers to others are passed over, provisional ones too."""
        while True:
            data = self._node.customer.receive("SIP/2.0 ") if self._stream is None else self._stream.next_text()
            message = Traced(False, data)
            if message.call_id == call_id and message.method == method and (message.code or 0) >= 200:
                assert message.code == 200, data
                return message


def _stranger() -> str:
    """Some address of 127.64.0.0/10."""
    return f"127.{_random.randint(64, 127)}.{_random.randint(0, 255)}.{_random.randint(1, 254)}"


def _strangers_sockets() -> list[socket.socket]:
    """One socket for each port, all at one address that has none of them in use."""
    while True:
        host = _stranger()
        with contextlib.ExitStack() as opened, contextlib.suppress(OSError):
            sockets = [opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in PORTS]
            for each, port in zip(sockets, PORTS, strict=True):
                each.bind((host, port))
            opened.pop_all()
            return sockets
