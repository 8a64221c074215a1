"""A transaction layer on a virtual clock with a transaction user that only writes down what it is told.

Times are eighths and halves, so that sums of floats are exact and tests can compare them with ``==``.
"""

from typing import Any, NamedTuple

from sipguard.sip.flow import Flow
from sipguard.sip.message import Request, Response
from sipguard.sip.parser import parse
from sipguard.sip.response import build_response
from sipguard.transaction.client import ClientTransaction
from sipguard.transaction.layer import TransactionLayer
from sipguard.transaction.server import ServerTransaction
from sipguard.transaction.settings import TimerSettings
from sipguard.transaction.timers import TimerHeap

CALLER = Flow(0, "udp", "192.0.2.1", 5060)
CARRIER = Flow(0, "udp", "198.51.100.7", 5060)
CALLER_TCP = Flow(1, "tcp", "192.0.2.1", 40_000, 3)
CARRIER_TCP = Flow(1, "tcp", "198.51.100.7", 5060, 4)


class Told(NamedTuple):
    """One thing the user was told: the name of the method called, its subject, the message if any."""

    what: str
    subject: Any
    message: Any = None


class Stage:
    """The layer, its clock, what left and what the user heard."""

    def __init__(self, settings: TimerSettings | None = None) -> None:
        self.now = 0.0
        self.timers = TimerHeap()
        self.layer = TransactionLayer(self, self._send, self.timers, settings or TimerSettings())
        self.sent: list[tuple[float, Flow, Any]] = []
        self.told: list[Told] = []
        self.requests: dict[ClientTransaction | ServerTransaction, Request] = {}  # a spent transaction has none

    def _send(self, flow: Flow, data: bytes) -> None:
        self.sent.append((self.now, flow, parse(data)))

    # --- the transaction user

    def request(self, transaction: ServerTransaction, now: float) -> None:
        self.requests[transaction] = transaction.request
        self.told.append(Told("request", transaction, transaction.request))

    def cancel(self, transaction: ServerTransaction, invite: ServerTransaction | None, now: float) -> None:
        self.requests[transaction] = transaction.request
        self.told.append(Told("cancel", transaction, invite))

    def ack(self, request: Request, flow: Flow, now: float) -> None:
        self.told.append(Told("ack", flow, request))

    def response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        self.told.append(Told("response", transaction, response))

    def timed_out(self, transaction: ClientTransaction, now: float) -> None:
        self.told.append(Told("timed_out", transaction))

    def unreachable(self, transaction: ClientTransaction, now: float) -> None:
        self.told.append(Told("unreachable", transaction))

    def gone(self, transaction: ServerTransaction, now: float) -> None:
        self.told.append(Told("gone", transaction))

    def stranded(self, transaction: ServerTransaction, now: float) -> None:
        self.told.append(Told("stranded", transaction))

    # --- driving

    def receive(self, message: Request | Response, flow: Flow = CALLER) -> None:
        """A message arrives now."""
        if isinstance(message, Request):
            self.layer.receive_request(message, flow, self.now)
        else:
            self.layer.receive_response(message, flow, self.now)

    def serve(self, message: Request, flow: Flow = CALLER) -> ServerTransaction:
        """A new request arrives; its server transaction."""
        self.receive(message, flow)
        transaction = self.told[-1].subject
        assert isinstance(transaction, ServerTransaction)
        return transaction

    def answer(self, transaction: ServerTransaction, code: int, to_tag: str = "us") -> None:
        """The user answers."""
        tag = None if code == 100 else to_tag
        self.layer.respond(transaction, build_response(self.requests[transaction], code, to_tag=tag), self.now)

    def start(self, message: Request, flow: Flow = CARRIER) -> ClientTransaction:
        """The user sends a request."""
        transaction = self.layer.start(message, flow, self.now, self)
        self.requests[transaction] = message
        return transaction

    def reply(self, transaction: ClientTransaction, code: int, to_tag: str = "them") -> None:
        """The peer of a client transaction answers."""
        tag = None if code == 100 else to_tag
        request = self.requests.get(transaction, transaction.request)
        self.receive(build_response(request, code, to_tag=tag), transaction.flow)

    def until(self, when: float) -> None:
        """Let time pass, ticking exactly when something is due."""
        while (deadline := self.timers.deadline()) is not None and deadline <= when:
            self.now = deadline
            self.timers.tick(deadline)
        self.now = when

    # --- looking

    def times(self, what: str) -> list[float]:
        """When messages left, named by method or by status code."""
        return [when for when, _, message in self.sent if name_of(message) == what]

    def left(self) -> list[str]:
        """What left, in order, by method or status code."""
        return [name_of(message) for _, _, message in self.sent]

    def heard(self) -> list[str]:
        """What the user was told, in order; responses by their code."""
        return [str(told.message.code) if told.what == "response" else told.what for told in self.told]


def name_of(message: Request | Response) -> str:
    """The method of a request, the status code of a response."""
    return message.method if isinstance(message, Request) else str(message.code)


def request(
    method: str = "INVITE",
    *,
    branch: str | None = "z9hG4bK-1",
    sent_by: str = "192.0.2.1",
    via_parameters: str = "",
    uri: str = "sip:+15551230001@203.0.113.1",
    from_tag: str = "caller",
    to_tag: str | None = None,
    call_id: str = "call-1@192.0.2.1",
    number: int = 1,
    headers: tuple[str, ...] = (),
) -> Request:
    """A request as its client would send it."""
    branch_parameter = "" if branch is None else f";branch={branch}"
    lines = (
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/UDP {sent_by}{branch_parameter}{via_parameters}",
        "Max-Forwards: 69",
        f"From: <sip:+15550001111@192.0.2.1>;tag={from_tag}",
        f"To: <sip:+15551230001@203.0.113.1>{f';tag={to_tag}' if to_tag else ''}",
        f"Call-ID: {call_id}",
        f"CSeq: {number} {method}",
        *headers,
        "Content-Length: 0",
    )
    message = parse("\r\n".join((*lines, "", "")).encode())
    assert isinstance(message, Request)
    return message
