"""The response context (RFC 3261 §16.7): one server transaction, the targets tried for it, the best response so far."""

from typing import TYPE_CHECKING, Protocol

from sipguard.policy.call import Call
from sipguard.policy.decision import Decision
from sipguard.proxy.active_calls import ActiveCall
from sipguard.proxy.branch import Attempt, Branch
from sipguard.proxy.forwarding import breadth
from sipguard.proxy.need_desk import Parked
from sipguard.sip.message import Response
from sipguard.transaction.server import ServerTransaction

if TYPE_CHECKING:
    from sipguard.proxy.dialog_news import Inside
    from sipguard.proxy.resubmission import Resubmission

FAILOVER_CODES = frozenset((408, 503))  # try the next target (RFC 3263 §4.3); never after a 6xx
_CHALLENGES = frozenset((401, 407))
_PREFERRED_4XX = frozenset((401, 407, 415, 420, 484))


class ContextKeeper(Protocol):
    """Whoever decides what becomes of a context."""

    def due(self, branch: Branch, now: float) -> None:
        """The timer of one of the context's branches is due."""


class ResponseContext:
    """Everything the core remembers about one request until its final answer.

    ``call`` and ``decision`` are None for in-dialog requests. ``base`` is the request that each target gets a fork of,
    ``leave_by`` the number of the listener it leaves from if that can reach the target. ``pending`` are the branches
    whose final answer is waited for: the one being tried, and those given up that may still say 2xx. ``cancelled`` is
    whether the caller gave up, ``over`` whether no further target may be tried, for that or another reason.
    ``rang_at`` is when it first rang, ``gave_up_at`` when the caller cancelled (monotonic seconds).
    ``held_back`` is whether a server was passed over because it asked for less.
    ``breadth`` is how much of the request's Max-Breadth no branch has (RFC 5393), ``challenges`` are the 401 and 407
    responses so far. ``original_from`` and ``original_to`` are the rows as received when we sent others on: responses
    show the caller what it wrote. ``resubmission`` is there when a target may ask for credentials that we have,
    ``inside`` when the answer to an in-dialog request says more of its dialog; ``inward`` is whether such a request is
    for a customer.
    """

    __slots__ = (
        "active",
        "attempts",
        "base",
        "best",
        "breadth",
        "call",
        "cancelled",
        "challenges",
        "decision",
        "done",
        "gave_up_at",
        "held_back",
        "inside",
        "inward",
        "keeper",
        "leave_by",
        "next_attempt",
        "original_from",
        "original_to",
        "over",
        "parked",
        "pending",
        "rang_at",
        "resubmission",
        "route",
        "server",
    )

    def __init__(self, keeper: ContextKeeper, server: ServerTransaction) -> None:
        self.keeper = keeper
        self.server = server
        self.base = server.request
        self.leave_by = server.flow.listener
        self.breadth = breadth(server.request)
        self.call: Call | None = None
        self.decision: Decision | None = None
        self.held_back = False
        self.active: ActiveCall | None = None
        self.attempts: list[Attempt] = []
        self.next_attempt = 0
        self.route = ""
        self.pending: list[Branch] = []
        self.best: Response | None = None
        self.challenges: tuple[Response, ...] = ()
        self.original_from: str | None = None
        self.original_to: str | None = None
        self.parked: Parked | None = None
        self.resubmission: Resubmission | None = None
        self.inside: Inside | None = None
        self.inward = False
        self.cancelled = False
        self.rang_at: float | None = None
        self.gave_up_at: float | None = None
        self.over = False
        self.done = False

    def consider(self, response: Response) -> None:
        """Keep a final response if it beats the one at hand (RFC 3261 §16.7 (6))."""
        if response.code in _CHALLENGES:
            self.challenges += (response,)
        if self.best is None or rank(response.code) < rank(self.best.code):
            self.best = response

    def gather_challenges(self) -> None:
        """Put what all others ask for into the best response, if that is a challenge (RFC 3261 §16.7 (7), §22.3)."""
        best = self.best
        if best is None or best.code not in _CHALLENGES:
            return
        for other in self.challenges:
            if other is not best:
                for name in ("www-authenticate", "proxy-authenticate"):
                    for value in other.values(name):
                        best.append(name, value)

    def ended(self, branch: Branch) -> None:
        """The transaction of this branch is over; its share of the breadth may be used again (RFC 5393 §5.3.3.1)."""
        self.breadth += branch.breadth
        branch.breadth = 0
        self.dismiss(branch)

    def dismiss(self, branch: Branch) -> None:
        """Nothing is waited for from this branch; without a way back to its transaction no cycle is left."""
        branch.stop()
        branch.client = None
        if branch in self.pending:
            self.pending.remove(branch)


def rank(code: int) -> tuple[int, int]:
    """Order of final responses, best first: 6xx, then the lowest class; within 4xx what tells the caller to mend."""
    if code >= 600:
        return (0, 0)
    return (code // 100, 0 if code in _PREFERRED_4XX else 1 if code not in FAILOVER_CODES else 2)
