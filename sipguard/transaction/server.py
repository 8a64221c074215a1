"""The server transaction (RFC 3261 §17.2, RFC 6026 §7.1): absorbs what a client repeats and repeats what it must hear.

One class walks two machines. It remembers the octets last sent, never a second copy of a message. At most two timers
run: Timer G repeats, the other ends the state (H, I, J, L, or the moment a 100 (Trying) is owed).

A response leaves on the flow its request came from; over UDP without ``rport`` that is the source address with the
port of the Via (RFC 3261 §18.2.2, RFC 3581 §4). When a connection is lost, the transaction lives on (RFC 6026 §7.1)
and its responses go to the source address and the Via's port, on a connection the runtime opens. When that fails too,
the user is asked where else the sender might be found (RFC 3263 §5), and what could not be delivered is sent there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sipguard.sip.flow import Flow
from sipguard.sip.response import build_response
from sipguard.transaction.derived import SPENT
from sipguard.transaction.states import ServerInput, ServerState
from sipguard.transaction.tables import INVITE_SERVER, NON_INVITE_SERVER, Action, Performer, compile_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sipguard.sip.message import Message, Request, Response
    from sipguard.sip.via import Via
    from sipguard.transaction.key import ServerKey
    from sipguard.transaction.layer import TransactionLayer
    from sipguard.transaction.timers import Timer

TRYING_WITHIN = 0.2  # seconds a user may be silent about an INVITE before the layer says 100 (RFC 3261 §17.2.1)

_PROCEEDING = ServerState.PROCEEDING
_TRYING = ServerState.TRYING
_TERMINATED = ServerState.TERMINATED
_TRYING_DUE = int(ServerInput.TRYING_DUE)
_TIMER_G = int(ServerInput.TIMER_G)
_TIMER_H = int(ServerInput.TIMER_H)
_TIMER_I = int(ServerInput.TIMER_I)
_TIMER_J = int(ServerInput.TIMER_J)
_TIMER_L = int(ServerInput.TIMER_L)
_EXPIRED = int(ServerInput.EXPIRED)


class ServerTransaction:
    """One request we have to answer. ``context`` belongs to the user, ``last_response`` is what was last sent.

    ``offered`` is whether the client offered overload control (RFC 7339 §4.1).
    """

    __slots__ = (
        "_interval",
        "_layer",
        "_lifetime",
        "_machine",
        "_octets",
        "_repeat",
        "_ways",
        "context",
        "flow",
        "key",
        "last_response",
        "method",
        "offered",
        "reply_flow",
        "request",
        "state",
    )

    def __init__(self, layer: TransactionLayer, key: ServerKey, request: Request, flow: Flow) -> None:
        self._layer = layer
        self.key = key
        self.request = request
        self.flow = flow
        self.method = request.method
        self.context: Any = None
        self.last_response: Response | None = None
        invite = request.method == "INVITE"
        self._machine = INVITE if invite else NON_INVITE
        self.state = _PROCEEDING if invite else _TRYING
        via = request.via
        self.offered = "oc" in via.parameters
        self.reply_flow = reply_flow(via, flow)
        self._ways: Sequence[Flow] | None = None  # what is left of where the sender may be; None: nobody asked yet
        self._octets = b""
        self._interval = 0.0
        self._repeat: Timer | None = None
        self._lifetime: Timer | None = None

    def handle(self, event: int, message: Message | None, now: float) -> None:
        """Walk one step of the table; an input without a row does nothing."""
        transition = self._machine[self.state][event]
        if transition is not None:
            self.state = transition[0]
            for perform in transition[1]:
                perform(self, message, now)

    def fire(self, kind: int, now: float) -> None:
        """A timer of this transaction is due."""
        self.handle(kind, None, now)

    def await_answer(self, now: float) -> None:
        """The user has said nothing yet: note when a 100 is owed (RFC 3261 §17.2.1; RFC 4320 §4.1 for non-INVITE)."""
        delay = TRYING_WITHIN if self.method == "INVITE" else self._layer.non_invite_trying
        self._lifetime = self._layer.timers.start(now + delay, self, _TRYING_DUE)

    def lost_connection(self, now: float) -> None:
        """The connection that answers leave on is gone, or could not be opened."""
        if self.reply_flow is self.flow:
            self._layer.reroute(self, via_flow(self.flow, self.request.via.port))
        elif self._ways is None:
            self._ways = ()
            self._layer.user.stranded(self, now)
        else:
            self.try_ways(self._ways)

    def try_ways(self, ways: Sequence[Flow]) -> None:
        """Answer on the first of these, on the others should it fail; what was sent last is sent again."""
        if not ways or self.state == _TERMINATED:
            return
        self._ways = ways[1:]
        self._layer.reroute(self, ways[0])
        if self.last_response is not None:
            self._layer.send(ways[0], self.last_response.encode())

    # --- what the actions do: (what came with the input, now)

    def _send(self, response: Response, _now: float) -> None:
        self.last_response = response
        mark = self._layer.mark
        if mark is not None and (self.offered or ";oc" in response.first["via"]):
            mark(self, response)
        self._octets = response.encode()
        self._layer.send(self.reply_flow, self._octets)

    def _send_again(self, _: object, _now: float) -> None:
        if self._octets:
            self._layer.send(self.reply_flow, self._octets)

    def _send_trying(self, _: None, now: float) -> None:
        self._send(build_response(self.request, 100), now)

    def _stop_timers(self, _: object, _now: float) -> None:
        if self._repeat is not None:
            self._repeat.cancel()
        if self._lifetime is not None:
            self._lifetime.cancel()

    def _live(self, delay: float, kind: int, now: float) -> None:
        """Only ``kind`` runs from here on, and ends the state after ``delay``."""
        self._stop_timers(None, now)
        self._lifetime = self._layer.timers.start(now + delay, self, kind)

    def _repeat_after(self, interval: float, now: float) -> None:
        self._interval = interval
        self._repeat = self._layer.timers.start(now + interval, self, _TIMER_G)

    def _start_g(self, _response: Response, now: float) -> None:
        if not self.flow.reliable:
            self._repeat_after(self._layer.t1, now)

    def _restart_g(self, _: None, now: float) -> None:
        self._repeat_after(min(2 * self._interval, self._layer.t2), now)

    def _start_h(self, _response: Response, now: float) -> None:
        self._live(self._layer.timeout, _TIMER_H, now)

    def _start_i(self, _ack: Request, now: float) -> None:
        if self.flow.reliable:
            self.handle(_TIMER_I, None, now)
        else:
            self._live(self._layer.t4, _TIMER_I, now)

    def _start_j(self, _response: Response, now: float) -> None:
        if self.reply_flow is self.flow and self.flow.reliable:
            self.handle(_TIMER_J, None, now)
            return
        self._live(self._layer.timeout, _TIMER_J, now)
        if not self.flow.reliable:  # on a stream the Via still says where to answer when the connection is lost
            self.request = SPENT

    def _start_l(self, _response: Response, now: float) -> None:
        self._live(self._layer.timeout, _TIMER_L, now)
        self._octets = b""  # a 2xx is never retransmitted here (RFC 6026 §7.1)
        if not self.flow.reliable:
            self.request = SPENT

    def _start_expiry(self, _: None, now: float) -> None:
        """The client gives up 64*T1 after it began; its last retransmission may be on the wire for T4 more."""
        layer = self._layer
        self._live(layer.timeout + layer.t4 - layer.non_invite_trying, _EXPIRED, now)

    def _end(self, _: None, now: float) -> None:
        self._stop_timers(None, now)
        self._layer.forget_server(self)

    def _tell_ack(self, ack: Request, now: float) -> None:
        self._layer.user.ack(ack, self.flow, now)

    def _tell_gone(self, _: None, now: float) -> None:
        self._layer.user.gone(self, now)


def reply_flow(via: Via, flow: Flow) -> Flow:
    """Where a response to a request with this top Via leaves that came on a flow (RFC 3261 §18.2.2, RFC 3581 §4)."""
    return flow if via.has_rport or flow.reliable else via_flow(flow, via.port)


def via_flow(flow: Flow, port: int | None) -> Flow:
    """The source address with the port of the top Via, or the transport's default port (RFC 3261 §18.2.2)."""
    default = 5061 if flow.transport == "tls" else 5060
    return Flow(flow.listener, flow.transport, flow.host, port or default, 0, flow.names)


_PERFORMERS: dict[Action, Performer[ServerTransaction]] = {
    Action.SEND: ServerTransaction._send,
    Action.SEND_AGAIN: ServerTransaction._send_again,
    Action.SEND_TRYING: ServerTransaction._send_trying,
    Action.RESTART_G: ServerTransaction._restart_g,
    Action.STOP_TIMERS: ServerTransaction._stop_timers,
    Action.START_G: ServerTransaction._start_g,
    Action.START_H: ServerTransaction._start_h,
    Action.START_I: ServerTransaction._start_i,
    Action.START_J: ServerTransaction._start_j,
    Action.START_L: ServerTransaction._start_l,
    Action.START_EXPIRY: ServerTransaction._start_expiry,
    Action.END: ServerTransaction._end,
    Action.TELL_ACK: ServerTransaction._tell_ack,
    Action.TELL_GONE: ServerTransaction._tell_gone,
}
INVITE = compile_table(INVITE_SERVER, ServerState, ServerInput, _PERFORMERS)
NON_INVITE = compile_table(NON_INVITE_SERVER, ServerState, ServerInput, _PERFORMERS)
