"""The engine: the whole proxy as a value. Octets and time in, outputs back; it opens nothing and reads no clock.

Five doors: ``receive``, ``complete``, ``lost``, ``tick``, ``deadline``; through ``observe`` it learns how long messages
wait outside, through ``recover`` what calls were up before it. ``now`` is monotonic seconds and drives timers; ``wall``
is wall-clock seconds and is what records, PASSporTs and certificates are held against. A bug behind a door costs the
message that met it: it is logged, and the engine lives on.
"""

import hashlib
from collections.abc import Iterable, Sequence

from sipguard.errors import MalformedMessage, MalformedValue
from sipguard.policy.need import Answer, Need, TargetAnswer
from sipguard.policy.view import View
from sipguard.proxy.core import Core
from sipguard.proxy.gate import Gate
from sipguard.proxy.output import DEBUG, ERROR, INFO, WARNING, Ask, Close, Event, Log, Notice, Output, Remember
from sipguard.proxy.recovery import recover
from sipguard.proxy.settings import ProxySettings
from sipguard.proxy.station import Random
from sipguard.sip.flow import Flow, Listener, Send
from sipguard.sip.message import Message, Request
from sipguard.sip.parser import parse
from sipguard.sip.response import build_response, stamp_received
from sipguard.sip.sanity import check
from sipguard.sip.stun import binding_response

__all__ = [
    "DEBUG", "ERROR", "INFO", "WARNING",
    "Ask", "Close", "Engine", "Event", "Log", "Notice", "Output", "Remember", "Send",
]  # fmt: skip

SWEEP_INTERVAL = 60.0  # seconds between evaluations of every account's traffic


class Engine:
    """One proxy. Not thread-safe: one caller, one door at a time."""

    def __init__(self, listeners: Sequence[Listener], settings: ProxySettings, view: View, random: Random) -> None:
        self._core = Core(tuple(listeners), settings, view, random)
        self._station = self._core.station
        self._gate = Gate(self._station)
        self._scanners = self._core.scanners
        self._banned = self._scanners.bans.active
        self._sweeping = False

    # --- the doors

    def receive(self, data: bytes, flow: Flow, now: float, wall: float) -> list[Output]:
        """Octets of one message that arrived on a flow."""
        self._station.wall = wall
        try:
            self._read(data, flow, now)
        except Exception as error:
            self._failed("receive", error)
        return self._hand_over(now)

    def complete(self, need: Need, answer: Answer | TargetAnswer, now: float, wall: float) -> list[Output]:
        """The answer to an ``Ask``."""
        self._station.wall = wall
        try:
            self._station.needs.complete(need, answer, now)
        except Exception as error:
            self._failed("complete", error)
        return self._hand_over(now)

    def lost(self, flow: Flow, now: float, wall: float) -> list[Output]:
        """A connection closed, or sending on a flow failed."""
        self._station.wall = wall
        try:
            self._station.streams.lost(flow, now)
            self._station.flows.lost(flow)
            self._station.layer.lost(flow, now)
        except Exception as error:
            self._failed("lost", error)
        return self._hand_over(now)

    def tick(self, now: float, wall: float) -> list[Output]:
        """Time has passed ``deadline``."""
        self._station.wall = wall
        try:
            self._station.timers.tick(now)
        except Exception as error:
            self._failed("tick", error)
        return self._hand_over(now)

    def deadline(self) -> float | None:
        """When ``tick`` wants to be called next (monotonic seconds), or None."""
        return self._station.timers.deadline()

    def observe(self, delay: float, now: float) -> None:
        """What is being read now waited ``delay`` seconds; what follows from it leaves by the next door."""
        self._gate.observe(delay, now)

    # --- operation

    def reconfigure(self, view: View) -> None:
        """Use another view from the next message on; calls that are parked resume under it."""
        self._station.view = view
        if view.policy.end_suspended:
            self._core.ending.review()
        if self._banned:
            self._scanners.review()

    def recover(self, lines: Iterable[bytes], now: float, wall: float) -> list[Output]:
        """Take up the calls of the process before this one: the octets of its ``Remember``, oldest first."""
        self._station.wall = wall
        try:
            recover(self._station, self._core.call_log, self._core.responses.duration_limits, lines, now)
            if self._station.view.policy.end_suspended:
                self._core.ending.review()
        except Exception as error:
            self._failed("recover", error)
        return self._hand_over(now)

    def drain(self) -> None:
        """Take no new calls but emergency calls; what is in flight goes on."""
        self._station.draining = True

    @property
    def draining(self) -> bool:
        """Whether new calls are turned away."""
        return self._station.draining

    @property
    def idle(self) -> bool:
        """Whether no request waits for a final answer."""
        return self._station.pending == 0

    @property
    def open_transactions(self) -> int:
        """Transactions that have not ended."""
        return self._station.layer.open_transactions

    @property
    def active_calls(self) -> int:
        """Calls between their INVITE and their BYE."""
        return len(self._station.calls)

    @property
    def parked(self) -> int:
        """Requests that wait for a fact."""
        return len(self._station.needs)

    @property
    def targets_up(self) -> dict[tuple[str, str], bool]:
        """By trunk and target URI: whether the target counts as up."""
        return self._core.prober.targets_up()

    @property
    def shed(self) -> float:
        """The share of new calls that overload control turns away, 0 to 1."""
        return self._gate.overload.shed

    @property
    def delay(self) -> float:
        """How long messages waited before they were read, in seconds, as overload control last saw it."""
        return self._gate.overload.delay

    @property
    def banned(self) -> int:
        """Sources that are banned now."""
        return len(self._banned)

    @property
    def counters(self) -> dict[tuple[str, ...], int]:
        """What happened so far, by label tuple: ("calls", direction, verdict, rule, code) and others."""
        return self._station.counters

    # --- inside

    def _read(self, data: bytes, flow: Flow, now: float) -> None:
        if self._banned and flow.host in self._banned and self._scanners.bans.drops(data, flow, now):
            return
        if data[:1] in b"\r\n" and not data.strip(b"\r\n"):
            self._keep_alive(data, flow)
            return
        gate = self._gate
        unsure = False
        if gate.closing:
            refused = gate.absorbs(data) or gate.refuses_at_sight(data, flow)
            if refused:
                return
            unsure = refused is None
        try:
            message = parse(data)
            if unsure and isinstance(message, Request) and gate.refuses(message, flow):
                return
            check(message, datagram=flow.delimiting)
            if isinstance(message, Request):
                stamp_received(message, flow)
        except MalformedMessage as error:
            if data[:1] == b"\0" and not flow.reliable:  # STUN on the same port (RFC 5626 §8)
                self._stun(data, flow)
            else:
                self._malformed(error, data, flow, now)
        except MalformedValue as error:  # a Via behind the first, in the same row
            self._malformed(MalformedMessage(400, f"Bad Request ({error})", message), data, flow, now)
        else:
            if isinstance(message, Request):
                if not self._is_probe(message, flow, now):
                    self._station.layer.receive_request(message, flow, now)
            elif self._station.identity.wrote(message.via):  # what is not for us is dropped (RFC 3261 §18.1.2)
                self._station.layer.receive_response(message, flow, now)

    def _is_probe(self, request: Request, flow: Flow, now: float) -> bool:
        """Whether a request is a scanner's and dropped; a bug in finding that out costs nobody a call."""
        try:
            return self._scanners.rejects(request, flow, now)
        except Exception as error:
            self._failed("scanners", error)
            return False

    def _keep_alive(self, data: bytes, flow: Flow) -> None:
        """A double CRLF on a stream is a ping and wants a single one back (RFC 5626 §4.4.1)."""
        if flow.reliable and data == b"\r\n\r\n":
            self._station.send(flow, b"\r\n")

    def _stun(self, data: bytes, flow: Flow) -> None:
        """A trunk keeps its NAT open (RFC 5626 §4.4.2); a stranger learns nothing, not even that somebody is here."""
        if self._station.view.directory.trunk_of(flow) is None:
            return
        response = binding_response(data, flow.host, flow.port)
        if response is not None:
            self._station.send(flow, response)

    def _malformed(self, error: MalformedMessage, data: bytes, flow: Flow, now: float) -> None:
        """A 4xx without any state where a response can be built, silence otherwise; a response or ACK gets silence.

        A retransmission gets the same To tag, because it is made of the request's octets (RFC 3261 §8.2.7).
        """
        self._station.count("malformed", str(error.status))
        if self._scanners.garbled(flow, now):
            return
        request = error.message
        if flow.reliable and not (isinstance(request, Message) and request.has("via")):
            self._station.outputs.append(Close(flow))  # whoever talks there does not talk SIP
        if not isinstance(request, Request) or request.method == "ACK" or not request.has("via"):
            return
        tag = hashlib.blake2b(data, digest_size=8).hexdigest()
        response = build_response(request, error.status, error.phrase, tag)
        self._station.send(flow, response.encode())

    def _failed(self, door: str, error: Exception) -> None:
        self._station.count("alarms", "bug")
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace is not None else ""
        self._station.log(ERROR, "engine.failed", door=door, error=repr(error), place=place)

    def _hand_over(self, now: float) -> list[Output]:
        if not self._sweeping:
            self._sweeping = True
            self._station.timers.start(now + SWEEP_INTERVAL, self, 0)
            self._core.prober.start(now)
        outputs = self._station.outputs
        self._station.outputs = []
        return outputs

    def fire(self, _kind: int, now: float) -> None:
        """The minute is over: evaluate everybody's traffic."""
        self._sweeping = False
        for account, standing in self._station.view.traffic.sweep(now):
            self._station.log(
                WARNING,
                "robodial.changed",
                account=account,
                tagged=standing.tagged,
                points=standing.points,
                reasons=standing.reasons,
            )
