"""A caller and a customer's PBX as plain UDP sockets, played by one loop: every octet of a call is ours to choose.

SIPp is of little help where a header field is the thing under test. A call goes INVITE, final response, ACK, and where
it was answered BYE; the PBX answers every INVITE at once. Nothing is retransmitted: on loopback nothing is lost, and a
proxy that does not answer in time is what a test wants to see.
"""

import itertools
import re
import select
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import NamedTuple

from scenarios.trace import Traced

PATIENCE = 5.0  # seconds for one final response
_LARGEST = 65535
_VERSTAT = re.compile(r"verstat=(?P<verstat>[A-Za-z-]+)")


class Heard(NamedTuple):
    """What came of a call: the final response (code 0: none in time), and the INVITE as it reached the PBX."""

    call_id: str
    code: int
    phrase: str
    arrived: Traced | None

    @property
    def verstat(self) -> str:
        """The verification status the PBX was told; ``-`` where it was told none, or the call did not get there."""
        if self.arrived is None:
            return "-"
        found = _VERSTAT.search(",".join(self.arrived.headers("P-Asserted-Identity") + self.arrived.headers("From")))
        return found["verstat"] if found else "-"


class Wire(AbstractContextManager["Wire"]):
    """The sockets. ``callers`` are the addresses calls can come from, one trunk each."""

    def __init__(self, pbx: str, callers: Iterable[str]) -> None:
        self._pbx = _bound(pbx)
        self._callers = {caller: _bound(caller) for caller in callers}
        self._numbers = itertools.count(1)

    @property
    def pbx_uri(self) -> str:
        """Where the PBX is reached."""
        return "sip:{}:{}".format(*self._pbx.getsockname())

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, where: TracebackType | None
    ) -> None:
        for each in (self._pbx, *self._callers.values()):
            each.close()

    def call(
        self, source: str, proxy: tuple[str, int], addresses: Mapping[str, str], rows: Sequence[str] = ()
    ) -> Heard:
        """Make one call and hear how it ends.

        ``addresses``: ``request_uri``, ``from`` (without tag) and ``to``. ``rows``: further header lines.
        """
        caller = _Call(self._callers[source], proxy, addresses, next(self._numbers))
        caller.send("INVITE", addresses["request_uri"], caller.branch("i"), addresses["to"], rows)
        arrived, final = self._hear(caller, "INVITE")
        if final is None:
            return Heard(caller.call_id, 0, "", arrived)
        code, to = final.code or 0, final.header("To") or ""
        if code >= 300:
            caller.send("ACK", addresses["request_uri"], caller.branch("i"), to)
        else:
            contact = (final.header("Contact") or "").strip("<>")
            routes = [f"Route: {value}" for value in reversed(final.headers("Record-Route"))]
            caller.send("ACK", contact, caller.branch("a"), to, routes)
            caller.send("BYE", contact, caller.branch("b"), to, routes)
            self._hear(caller, "BYE")
        return Heard(caller.call_id, code, final.start_line.split(" ", 2)[2], arrived)

    def _hear(self, caller: "_Call", method: str) -> tuple[Traced | None, Traced | None]:
        """Play the PBX until a final response to the caller's request arrives: the INVITE there, the response here."""
        arrived = None
        deadline = time.monotonic() + PATIENCE
        while (left := deadline - time.monotonic()) > 0:
            for ready in select.select([self._pbx, caller.socket], [], [], left)[0]:
                octets, peer = ready.recvfrom(_LARGEST)
                message = Traced(False, octets.decode("latin-1"))
                if message.call_id != caller.call_id:
                    continue  # a straggler of an earlier call
                if ready is self._pbx:
                    arrived = message if message.method == "INVITE" else arrived
                    self._answer(message, peer)
                elif message.method == method and (message.code or 0) >= 200:
                    return arrived, message
        return arrived, None

    def _answer(self, request: Traced, peer: tuple[str, int]) -> None:
        if request.code is not None or request.method == "ACK":
            return
        to = request.header("To") or ""
        copied = [f"{name}: {value}" for name in ("Via", "Record-Route") for value in request.headers(name)]
        rows = (
            "SIP/2.0 200 OK", *copied,
            f"From: {request.header('From')}",
            f"To: {to}" if ";tag=" in to else f"To: {to};tag=pbx",
            f"Call-ID: {request.call_id}",
            f"CSeq: {request.header('CSeq')}",
            f"Contact: <{self.pbx_uri}>",
        )  # fmt: skip
        self._pbx.sendto(_octets(rows), peer)


class _Call:
    """The caller's side of one call."""

    def __init__(self, from_: socket.socket, proxy: tuple[str, int], addresses: Mapping[str, str], number: int) -> None:
        self.socket = from_
        self._proxy = proxy
        self._host, self._port = from_.getsockname()
        self._from = addresses["from"]
        self._number = number
        self.call_id = f"{number}-{self._port}@{self._host}"

    def branch(self, mark: str) -> str:
        """A branch for one transaction of this call."""
        return f"z9hG4bK{mark}{self._number}"

    def send(self, method: str, uri: str, branch: str, to: str, rows: Sequence[str] = ()) -> None:
        """Send one request of the call."""
        lines = (
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self._host}:{self._port};branch={branch};rport",
            "Max-Forwards: 70",
            f"From: {self._from};tag={self._number}",
            f"To: {to}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {2 if method == 'BYE' else 1} {method}",
            f"Contact: <sip:{self._host}:{self._port}>",
            *rows,
        )
        self.socket.sendto(_octets(lines), self._proxy)


def _octets(rows: Iterable[str]) -> bytes:
    return "\r\n".join((*rows, "Content-Length: 0", "", "")).encode("latin-1")


def _bound(host: str) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind((host, 0))
    return bound
