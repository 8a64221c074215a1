"""User agents for tests: one that calls and one that answers, on our own transaction layer, so they retransmit, absorb
and acknowledge as the standard says and calls survive a lossy network.
"""

from dataclasses import dataclass, field

from sipguard.errors import MalformedMessage
from sipguard.sip.flow import Flow
from sipguard.sip.message import Request, Response
from sipguard.sip.parser import parse
from sipguard.sip.response import build_response, stamp_received
from sipguard.sip.sanity import check
from sipguard.testing.network import Endpoint, Network
from sipguard.transaction.client import ClientTransaction
from sipguard.transaction.layer import TransactionLayer
from sipguard.transaction.server import ServerTransaction
from sipguard.transaction.settings import TimerSettings
from sipguard.transaction.timers import TimerHeap


@dataclass
class Script:
    """How an answering agent treats an INVITE: seconds to ring, seconds to the final answer, and its code.

    A ``stuck`` agent takes no CANCEL. ``others`` is the code for requests that are no INVITE.
    """

    ring_after: float | None = 0.1
    answer_after: float | None = 0.5
    code: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    stuck: bool = False
    others: int = 200


@dataclass
class Timed:
    """Something an agent does later."""

    agent: "UserAgent"
    transaction: ServerTransaction
    code: int
    headers: tuple[tuple[str, str], ...] = ()

    def fire(self, _kind: int, now: float) -> None:
        """The time has come."""
        self.agent.answer(self.transaction, self.code, self.headers, now)


@dataclass
class Repeated:
    """A 2xx an agent repeats until it is acknowledged, at T1 first and T2 at most (RFC 3261 §13.3.1.4)."""

    agent: "UserAgent"
    transaction: ServerTransaction
    response: Response
    interval: float

    def fire(self, _kind: int, now: float) -> None:
        """No ACK yet: once more."""
        if self.response.call_id in self.agent.acknowledged:
            return
        self.agent.layer.respond(self.transaction, self.response, now)
        self.interval = min(2 * self.interval, self.agent.layer.t2)
        self.agent.timers.start(now + self.interval, self, 0)


@dataclass
class UserAgent:
    """One SIP user agent at an address of its own, towards the engine's address on listener number ``listener``."""

    network: Network
    endpoint: Endpoint
    proxy: Endpoint
    script: Script = field(default_factory=Script)
    transport: str = "udp"
    name: str = "agent"
    listener: int = 0
    names: tuple[str, ...] = ()  # what its certificate proved over TLS
    sips: bool = False  # whether its Contact is a sips URI
    connection: int = 0  # the number of its connection to the engine
    contact: str = ""  # its Contact, when that is not its address

    def __post_init__(self) -> None:
        """Go on the network."""
        self.timers = TimerHeap()
        self.layer = TransactionLayer(self, self._send, self.timers, TimerSettings())
        self.requests: list[Request] = []
        self.responses: list[Response] = []
        self.acks: list[Request] = []
        self.acknowledged: set[str] = set()
        self.cancelled = 0
        self.timeouts = 0
        self._serial = 0
        self._invite: ClientTransaction | None = None
        self._sent: dict[str, Request] = {}  # by branch; a transaction that is over forgets its request
        self.network.attach(self.endpoint, self)

    # --- on the network

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """Octets arrived; what is no proper message is dropped."""
        try:
            message = parse(data)
            check(message, datagram=flow.delimiting)
        except MalformedMessage:
            return
        here = Flow(0, flow.transport, *self.proxy)
        if isinstance(message, Request):
            stamp_received(message, here)
            self.layer.receive_request(message, here, now)
        else:
            self.layer.receive_response(message, here, now)

    def tick(self, now: float) -> None:
        """Time passed."""
        self.timers.tick(now)

    def deadline(self) -> float | None:
        """When something is due here."""
        return self.timers.deadline()

    def _send(self, _flow: Flow, data: bytes) -> None:
        self.network.send_to_engine(
            data, Flow(self.listener, self.transport, *self.endpoint, self.connection, self.names)
        )

    # --- calling

    def start(self, request: Request) -> ClientTransaction:
        """Send a request of a test's own making."""
        flow = Flow(0, self.transport, *self.proxy)
        transaction = self.layer.start(request, flow, self.network.now, self)
        if request.method == "INVITE":
            self._invite = transaction
        self._sent[transaction.branch] = request
        return transaction

    def give_up(self, *reasons: str) -> None:
        """As a caller: cancel the INVITE, with these Reason values."""
        if self._invite is not None:
            self.layer.cancel(self._invite, self.network.now, reasons)

    def in_dialog(self, method: str) -> Request:
        """A request inside the dialog: by the last 2xx, or 18x, for a caller, by the last INVITE for who was called."""
        if self._invite is None:
            return self._from_the_called(method)
        invite, answer = self._dialog()
        return self._build(method, invite, answer, route_set(answer), contact_of(answer))

    def _from_the_called(self, method: str) -> Request:
        invite = next(request for request in reversed(self.requests) if request.method == "INVITE")
        own, peer = f"{invite.required('to')};tag={self.name}", invite.required("from")
        routes = invite.listed("record-route")
        return self._write(method, contact_of(invite), routes, own, peer, invite.call_id, self._next_serial())

    def _dialog(self) -> tuple[Request, Response]:
        answers = [r for r in reversed(self.responses) if r.cseq.method == "INVITE" and 100 < r.code < 300]
        answer = next((response for response in answers if response.code >= 200), answers[0])
        if self._invite is None:
            raise LookupError("no INVITE was sent")
        return self._sent[self._invite.branch], answer

    def _next_serial(self) -> int:
        self._serial += 1
        return self._serial

    def _build(self, method: str, invite: Request, answer: Response, routes: list[str], uri: str) -> Request:
        serial = self._next_serial()
        number = invite.cseq.number if method == "ACK" else invite.cseq.number + serial
        own, peer = answer.required("from"), answer.required("to")
        return self._write(method, uri, routes, own, peer, answer.call_id, number)

    def _write(
        self, method: str, uri: str, routes: list[str], own: str, peer: str, call_id: str, number: int
    ) -> Request:
        branch = f"z9hG4bK{self.name}{method}{self._serial}"
        rows = [
            f"Via: SIP/2.0/{self.transport.upper()} {self.endpoint[0]}:{self.endpoint[1]};branch={branch}",
            *(f"Route: {route}" for route in routes),
            f"From: {own}",
            f"To: {peer}",
            f"Call-ID: {call_id}",
            f"CSeq: {number} {method}",
            f"Contact: {self._contact}",
            "Max-Forwards: 70",
            "Content-Length: 0",
        ]
        octets = "\r\n".join((f"{method} {uri} SIP/2.0", *rows, "", "")).encode("latin-1")
        request = parse(octets)
        if not isinstance(request, Request):
            raise TypeError("not a request")
        return request

    # --- as TransactionUser

    def request(self, transaction: ServerTransaction, now: float) -> None:
        """Somebody calls, or says something inside a dialog."""
        self.requests.append(transaction.request)
        if transaction.method != "INVITE":
            self.answer(transaction, self.script.others, (), now)
            return
        if self.script.ring_after is not None:
            self.timers.start(now + self.script.ring_after, Timed(self, transaction, 180), 0)
        if self.script.answer_after is not None:
            final = Timed(self, transaction, self.script.code, self.script.headers)
            self.timers.start(now + self.script.answer_after, final, 0)

    def answer(
        self, transaction: ServerTransaction, code: int, headers: tuple[tuple[str, str], ...], now: float
    ) -> None:
        """Respond to a request, with what a dialog needs."""
        request = transaction.request
        routes = [("record-route", value) for value in request.listed("record-route")]
        contact = ("contact", self._contact)
        response = build_response(request, code, None, self.name, (*routes, contact, *headers))
        self.layer.respond(transaction, response, now)
        if transaction.method == "INVITE" and 200 <= code < 300:
            self.acknowledged.discard(request.call_id)
            self.timers.start(now + self.layer.t1, Repeated(self, transaction, response, self.layer.t1), 0)

    def cancel(self, transaction: ServerTransaction, invite: ServerTransaction | None, now: float) -> None:
        """The caller gave up: 200 for the CANCEL, 487 for the INVITE."""
        if self.script.stuck:
            return
        self.cancelled += 1
        self.layer.respond(transaction, build_response(transaction.request, 200, None, self.name), now)
        if invite is not None:
            self.answer(invite, 487, (), now)

    def ack(self, request: Request, flow: Flow, now: float) -> None:
        """The other side acknowledged our 2xx."""
        self.acks.append(request)
        self.acknowledged.add(request.call_id)

    def response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """An answer; a 2xx to an INVITE is acknowledged each time it comes (RFC 3261 §13.2.2.4)."""
        self.responses.append(response)
        if transaction.method == "INVITE" and 200 <= response.code < 300:
            ack = self._build(
                "ACK", self._sent[transaction.branch], response, route_set(response), contact_of(response)
            )
            self._send(Flow(0, self.transport, *self.proxy), ack.encode())

    def timed_out(self, transaction: ClientTransaction, now: float) -> None:
        """Nobody answered."""
        self.timeouts += 1

    def unreachable(self, transaction: ClientTransaction, now: float) -> None:
        """Nobody is there."""
        self.timeouts += 1

    def gone(self, transaction: ServerTransaction, now: float) -> None:
        """A transaction ended."""

    def stranded(self, transaction: ServerTransaction, now: float) -> None:
        """The proxy is not to be found."""

    @property
    def _contact(self) -> str:
        if self.contact:
            return self.contact
        transport = ";transport=tcp" if self.transport == "tcp" else ""
        return f"<{'sips' if self.sips else 'sip'}:{self.endpoint[0]}:{self.endpoint[1]}{transport}>"

    @property
    def codes(self) -> list[int]:
        """The status codes heard so far, 100 included."""
        return [response.code for response in self.responses]


def contact_of(message: Request | Response) -> str:
    """The remote target a message names."""
    return message.required("contact").partition("<")[2].partition(">")[0]


def route_set(answer: Response) -> list[str]:
    """The caller's route set (RFC 3261 §12.1.2)."""
    return answer.listed("record-route")[::-1]
