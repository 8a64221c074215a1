"""The response context (RFC 3261 §16.7): one server transaction, the targets tried for it, the best response so far."""

from typing import Protocol

from sipguard.policy.call import Call
from sipguard.policy.decision import Decision
from sipguard.policy.directory import Target, Trunk
from sipguard.policy.need import Server, TargetNeed
from sipguard.proxy.active_calls import ActiveCall
from sipguard.proxy.need_desk import Parked
from sipguard.sip.message import Response
from sipguard.transaction.client import ClientTransaction
from sipguard.transaction.server import ServerTransaction
from sipguard.transaction.timers import Timer

FAILOVER_CODES = frozenset((408, 503))  # try the next target (RFC 3263 §4.3); never after a 6xx
_PREFERRED_4XX = frozenset((401, 407, 415, 420, 484))


class ContextKeeper(Protocol):
    """Whoever decides what becomes of a context."""

    def timer_c(self, context: "ResponseContext", now: float) -> None:
        """Timer C of the context's INVITE is due."""


class Attempt:
    """One place a request may go: a server, or a name whose servers are to be asked for.

    ``names`` are whom a server must prove to be over TLS. ``route`` is None for an in-dialog request, which goes where
    its route set says.
    """

    __slots__ = ("names", "place", "route")

    def __init__(
        self, route: tuple[Trunk, Target] | None, place: Server | TargetNeed, names: tuple[str, ...] = ()
    ) -> None:
        self.route = route
        self.place = place
        self.names = names


class ResponseContext:
    """Everything the core remembers about one request until its final answer.

    ``call`` and ``decision`` are None for in-dialog requests. ``base`` is the request that each target gets a fork of,
    ``leave_by`` the number of the listener it leaves from if that can reach the target. ``cancelled`` is whether no
    further target may be tried, ``expired`` whether Timer C was the reason. ``original_from`` is the From row as
    received when we sent another one on, so that responses show the caller what it wrote. ``switched`` is whether the
    request went over TCP only for its size, and nobody has answered yet.
    """

    __slots__ = (
        "active",
        "attempts",
        "base",
        "best",
        "call",
        "cancelled",
        "client",
        "decision",
        "done",
        "expired",
        "keeper",
        "leave_by",
        "next_attempt",
        "original_from",
        "parked",
        "route",
        "server",
        "switched",
        "timer_c",
    )

    def __init__(self, keeper: ContextKeeper, server: ServerTransaction) -> None:
        self.keeper = keeper
        self.server = server
        self.base = server.request
        self.leave_by = server.flow.listener
        self.call: Call | None = None
        self.decision: Decision | None = None
        self.active: ActiveCall | None = None
        self.attempts: list[Attempt] = []
        self.next_attempt = 0
        self.route = ""
        self.client: ClientTransaction | None = None
        self.best: Response | None = None
        self.original_from: str | None = None
        self.parked: Parked | None = None
        self.timer_c: Timer | None = None
        self.cancelled = False
        self.expired = False
        self.switched = False
        self.done = False

    def consider(self, response: Response) -> None:
        """Keep a final response if it beats the one at hand (RFC 3261 §16.7 (6))."""
        if self.best is None or rank(response.code) < rank(self.best.code):
            self.best = response

    def fire(self, _kind: int, now: float) -> None:
        """Timer C is due."""
        self.keeper.timer_c(self, now)


def rank(code: int) -> tuple[int, int]:
    """Order of final responses, best first: 6xx, then the lowest class; within 4xx what tells the caller to mend."""
    if code >= 600:
        return (0, 0)
    return (code // 100, 0 if code in _PREFERRED_4XX else 1 if code not in FAILOVER_CODES else 2)
