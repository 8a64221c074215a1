"""What passes through here says of the dialogs of a call: that they are there, where a party moved, that they are over.

A response with a To tag opens one, a 2xx settles its target and route set (RFC 3261 §12.1, §13.2.2.4), a target refresh
request (a re-INVITE, an UPDATE) and the 2xx to it move the parties (§12.2). A BYE ends one, but not before it was
answered: what the other side refuses, because it came with a hop too few or a number too low, has ended nothing there.
That nobody answers, or that there is no such dialog, is an end (RFC 3261 §15.1.1, RFC 5057 §5.1).
"""

from sipguard.proxy.active_calls import ActiveCall
from sipguard.proxy.branch import Branch
from sipguard.proxy.call_log import CallLog
from sipguard.proxy.dialog import REFRESHING, Dialog, Leg, State, caller_leg, leg_of, routes_beyond, target_in
from sipguard.proxy.flow_tokens import must_keep
from sipguard.proxy.response_context import ResponseContext
from sipguard.proxy.station import Station
from sipguard.sip.flow import Flow
from sipguard.sip.message import Response
from sipguard.transaction.derived import SPENT

_EARLY, _UP = State.EARLY, State.UP
_OVER = frozenset((404, 408, 410, 480, 481, 502, 604))  # there is no such dialog any more, or nobody behind it


class Inside:
    """A target refresh request or BYE of a call that is up, until its final answer.

    ``since`` is when it came, ``refused`` whether the last target asked said that it did not take it.
    """

    __slots__ = ("active", "by_caller", "dialog", "method", "refused", "since", "target")

    def __init__(
        self, active: ActiveCall, dialog: Dialog, method: str, target: str | None, since: float, *, by_caller: bool
    ) -> None:
        self.active = active
        self.dialog = dialog
        self.by_caller = by_caller
        self.method = method
        self.target = target
        self.since = since
        self.refused = False

    def answered(self, response: Response) -> None:
        """A response of the other side."""
        self.refused = response.code >= 300 and response.code not in _OVER
        if response.code >= 300 or self.method == "BYE" or (response.code < 200 and not response.has("rseq")):
            return
        own, other = self.dialog.called, self.dialog.caller
        if self.by_caller:
            own, other = other, own
        own.moves(self.target)
        other.moves(target_in(response))


def opened(station: Station, active: ActiveCall, branch: Branch, flow: Flow, response: Response) -> bool:
    """A 101 to 299 to a screened INVITE, that came to this branch on this flow: a dialog, or more of one.

    Whether it is up now, and was not before.
    """
    up = False
    tag = response.to.tag
    if tag is not None:
        mark = f"dialog={active.identifier}~"
        dialog = active.dialog_with(tag)
        if dialog is None:
            dialog = _new(active, branch, flow, response, mark)
            if dialog is not None:
                station.calls.learn(active, dialog)
        elif dialog.state is _EARLY:
            dialog.called.moves(target_in(response))
            if response.has("record-route"):  # a 2xx that leaves them out is not about another way
                dialog.called.routes = routes_beyond(response, mark)
        if dialog is not None and dialog.state is _EARLY and response.code >= 200:
            dialog.state = _UP
            up = True
    called, caller = active.tokens
    response.replace_text("record-route", called, caller)  # the caller gets its own (RFC 3261 §16.7 (8))
    return up


def _new(active: ActiveCall, branch: Branch, flow: Flow, response: Response, mark: str) -> Dialog | None:
    """A dialog with one more callee; the caller's side is as in its INVITE or, when that is forgotten, the last one."""
    server, route = branch.context.server, branch.attempt.route
    if active.dialogs:
        known = active.dialogs[0].caller
        caller = Leg(known.flow, known.target, known.routes, known.on_flow)
    elif server.request is SPENT or active.caller is None:
        return None
    else:
        keep = must_keep(active.caller.trunk, server.request, server.flow)
        caller = caller_leg(server.request, server.flow, on_flow=keep)
    on_flow = route is not None and route[0].behind_nat
    called = leg_of(flow, target_in(response), routes_beyond(response, mark), active.reached, on_flow=on_flow)
    return Dialog(response.to.tag or "", caller, called)


def closed(context: ResponseContext, call_log: CallLog, now: float) -> None:
    """The request is over, whatever came of it."""
    inside, context.inside = context.inside, None
    if inside is None or inside.refused:
        return
    if inside.method in REFRESHING:
        call_log.remember(inside.active, now)
    else:
        call_log.released(inside.active, inside.dialog, inside.since, now, by_caller=inside.by_caller)
