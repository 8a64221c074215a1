"""The client transaction (RFC 3261 §17.1, RFC 6026 §7.2): sends a request until somebody answers.

One class walks three machines: INVITE, non-INVITE, and the non-INVITE machine without a user for the CANCEL the layer
makes itself, whose outcome nobody waits for (what counts is the final response to the INVITE). At most two timers run:
one repeats (A, E), one ends the state (B, D, F, K, M, the wait after a CANCEL).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sipguard.transaction.derived import SPENT, acknowledgement, cancellation
from sipguard.transaction.states import ClientInput, ClientState
from sipguard.transaction.tables import INVITE_CLIENT, NON_INVITE_CLIENT, Action, Performer, compile_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sipguard.sip.flow import Flow
    from sipguard.sip.message import Request, Response
    from sipguard.transaction.layer import TransactionLayer
    from sipguard.transaction.timers import Timer

_INITIAL = ClientState.INITIAL
# Plain integers: an enumeration's member costs a look-up each time it is named.
_START = int(ClientInput.START)
_TIMER_A = int(ClientInput.TIMER_A)
_TIMER_B = int(ClientInput.TIMER_B)
_TIMER_D = int(ClientInput.TIMER_D)
_TIMER_E = int(ClientInput.TIMER_E)
_TIMER_F = int(ClientInput.TIMER_F)
_TIMER_K = int(ClientInput.TIMER_K)
_TIMER_M = int(ClientInput.TIMER_M)
_CANCEL_TIMEOUT = int(ClientInput.CANCEL_TIMEOUT)


class ClientTransaction:
    """One request on its way to one flow. ``owner`` is whatever the user gave at the start."""

    __slots__ = (
        "_interval",
        "_layer",
        "_lifetime",
        "_machine",
        "_octets",
        "_reason",
        "_repeat",
        "branch",
        "flow",
        "method",
        "owner",
        "request",
        "state",
    )

    def __init__(self, layer: TransactionLayer, request: Request, flow: Flow, branch: str, owner: Any) -> None:
        self._layer = layer
        self.request = request
        self.flow = flow
        self.branch = branch
        self.method = request.method
        self.owner = owner
        self.state = _INITIAL
        self._reason: Sequence[str] = ()
        self._machine = INVITE if request.method == "INVITE" else CANCEL if request.method == "CANCEL" else NON_INVITE
        self._octets = b""
        self._interval = 0.0
        self._repeat: Timer | None = None
        self._lifetime: Timer | None = None

    def start(self, now: float) -> None:
        """Send the request for the first time."""
        self.handle(_START, None, now)

    def handle(self, event: int, given: Response | Sequence[str] | None, now: float) -> None:
        """Walk one step of the table; an input without a row does nothing.

        ``given`` is the response received, or the Reason values of a CANCEL, or None.
        """
        transition = self._machine[self.state][event]
        if transition is not None:
            self.state = transition[0]
            for perform in transition[1]:
                perform(self, given, now)

    def fire(self, kind: int, now: float) -> None:
        """A timer of this transaction is due."""
        self.handle(kind, None, now)

    # --- what the actions do: (what came with the input, now)

    def _send(self, _: None, _now: float) -> None:
        self._octets = self.request.encode()
        self._layer.send(self.flow, self._octets)

    def _send_again(self, _: object, _now: float) -> None:
        """What the state repeats leaves once more: the request, or the ACK after a final response."""
        self._layer.send(self.flow, self._octets)

    def _send_ack(self, response: Response, _now: float) -> None:
        """To where the request went, on any transport (RFC 3261 §17.1.1.2)."""
        self._octets = acknowledgement(self.request, response)
        self._layer.send(self.flow, self._octets)

    def _keep_reason(self, reason: Sequence[str], _now: float) -> None:
        self._reason = reason

    def _send_cancel(self, _: object, now: float) -> None:
        """The CANCEL is a transaction of its own on the same branch (RFC 3261 §9.1)."""
        self._layer.start_on_branch(cancellation(self.request, self._reason), self.flow, now, None, self.branch)

    def _stop_timers(self, _: object, _now: float) -> None:
        if self._repeat is not None:
            self._repeat.cancel()
        if self._lifetime is not None:
            self._lifetime.cancel()

    def _repeat_after(self, interval: float, kind: int, now: float) -> None:
        self._interval = interval
        self._repeat = self._layer.timers.start(now + interval, self, kind)

    def _live(self, delay: float, kind: int, now: float) -> None:
        """Only ``kind`` runs from here on, and ends the state after ``delay``."""
        self._stop_timers(None, now)
        self._lifetime = self._layer.timers.start(now + delay, self, kind)

    def _start_a(self, _: None, now: float) -> None:
        if not self.flow.reliable:
            self._repeat_after(self._layer.t1, _TIMER_A, now)

    def _restart_a(self, _: None, now: float) -> None:
        self._repeat_after(2 * self._interval, _TIMER_A, now)

    def _start_b(self, _: None, now: float) -> None:
        self._lifetime = self._layer.timers.start(now + self._layer.timeout, self, _TIMER_B)

    def _start_d(self, _response: Response, now: float) -> None:
        if self.flow.reliable:
            self.handle(_TIMER_D, None, now)
        else:
            self._live(self._layer.timer_d, _TIMER_D, now)
            self.request = SPENT  # the ACK, which is what is repeated from here on, is made

    def _start_e(self, _: None, now: float) -> None:
        if not self.flow.reliable:
            self._repeat_after(self._layer.t1, _TIMER_E, now)

    def _restart_e(self, _: None, now: float) -> None:
        self._repeat_after(min(2 * self._interval, self._layer.t2), _TIMER_E, now)

    def _restart_e_at_t2(self, _: None, now: float) -> None:
        self._repeat_after(self._layer.t2, _TIMER_E, now)

    def _start_f(self, _: None, now: float) -> None:
        self._lifetime = self._layer.timers.start(now + self._layer.timeout, self, _TIMER_F)

    def _start_k(self, _response: Response, now: float) -> None:
        if self.flow.reliable:
            self.handle(_TIMER_K, None, now)
        else:
            self._live(self._layer.t4, _TIMER_K, now)
            self._spend()

    def _start_m(self, _response: Response, now: float) -> None:
        self._live(self._layer.timeout, _TIMER_M, now)
        self._spend()

    def _spend(self) -> None:
        """Nothing is sent from here on."""
        self.request = SPENT
        self._octets = b""

    def _start_cancel_timeout(self, _: object, now: float) -> None:
        self._live(self._layer.timeout, _CANCEL_TIMEOUT, now)

    def _end(self, _: None, now: float) -> None:
        self._stop_timers(None, now)
        self._layer.forget_client(self)

    def _tell_response(self, response: Response, now: float) -> None:
        self._layer.user.response(self, response, now)

    def _tell_timeout(self, _: None, now: float) -> None:
        self._layer.user.timed_out(self, now)

    def _tell_unreachable(self, _: None, now: float) -> None:
        self._layer.user.unreachable(self, now)


_PERFORMERS: dict[Action, Performer[ClientTransaction]] = {
    Action.SEND: ClientTransaction._send,
    Action.SEND_AGAIN: ClientTransaction._send_again,
    Action.SEND_ACK: ClientTransaction._send_ack,
    Action.KEEP_REASON: ClientTransaction._keep_reason,
    Action.SEND_CANCEL: ClientTransaction._send_cancel,
    Action.RESTART_A: ClientTransaction._restart_a,
    Action.RESTART_E: ClientTransaction._restart_e,
    Action.RESTART_E_AT_T2: ClientTransaction._restart_e_at_t2,
    Action.STOP_TIMERS: ClientTransaction._stop_timers,
    Action.START_A: ClientTransaction._start_a,
    Action.START_B: ClientTransaction._start_b,
    Action.START_D: ClientTransaction._start_d,
    Action.START_E: ClientTransaction._start_e,
    Action.START_F: ClientTransaction._start_f,
    Action.START_K: ClientTransaction._start_k,
    Action.START_M: ClientTransaction._start_m,
    Action.START_CANCEL_TIMEOUT: ClientTransaction._start_cancel_timeout,
    Action.END: ClientTransaction._end,
}
_TELLING: dict[Action, Performer[ClientTransaction]] = {
    Action.TELL_RESPONSE: ClientTransaction._tell_response,
    Action.TELL_TIMEOUT: ClientTransaction._tell_timeout,
    Action.TELL_UNREACHABLE: ClientTransaction._tell_unreachable,
}
INVITE = compile_table(INVITE_CLIENT, ClientState, ClientInput, _PERFORMERS | _TELLING)
NON_INVITE = compile_table(NON_INVITE_CLIENT, ClientState, ClientInput, _PERFORMERS | _TELLING)
CANCEL = compile_table(NON_INVITE_CLIENT, ClientState, ClientInput, _PERFORMERS)  # nobody waits for its outcome
