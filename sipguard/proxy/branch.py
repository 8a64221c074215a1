"""A branch: one attempt under way, with its client transaction (RFC 3261 §16.6).

At most one timer runs. Until the target says anything it may be the trunk's ``response_timeout``, then it is Timer C,
which every 101 to 199 starts anew, or the trunk's ``ring_timeout``, which nothing moves. A branch that was given up is
cancelled, or will be by the transaction layer as soon as it says something; a 2xx from it still counts.
"""

from typing import TYPE_CHECKING

from sipguard.policy.need import Server, TargetNeed
from sipguard.policy.trunk import Target, Trunk
from sipguard.sip.flow import Flow
from sipguard.sip.uri import SipUri
from sipguard.transaction.client import ClientTransaction
from sipguard.transaction.timers import Timer, TimerHeap

if TYPE_CHECKING:
    from sipguard.proxy.response_context import ResponseContext

_MOST_EARLY = 31  # early dialogs before the last one
_NEVER = float("inf")


class Attempt:
    """One place a request may go: a server, or a name whose servers are to be asked for.

    ``names`` are whom a server must prove to be over TLS. ``route`` is None for an in-dialog request, which goes where
    its route set says, on the very ``flow`` that this names. ``contact`` is who is asked for there when a 3xx said so,
    in place of the Request-URI.
    """

    __slots__ = ("contact", "flow", "names", "place", "route")

    def __init__(
        self, route: tuple[Trunk, Target] | None, place: Server | TargetNeed, names: tuple[str, ...] = (),
        contact: SipUri | None = None, flow: Flow | None = None,
    ) -> None:  # fmt: skip
        self.route = route
        self.place = place
        self.names = names
        self.contact = contact
        self.flow = flow

    @property
    def response_timeout(self) -> float:
        """Seconds it may be silent before the next one is tried; 0: as long as its transaction lives."""
        return 0.0 if self.route is None else self.route[0].response_timeout

    @property
    def may_overlap(self) -> bool:
        """Whether the next one may be tried before the transaction of this one is over."""
        return self.route is not None and (self.route[0].response_timeout > 0 or self.route[0].ring_timeout > 0)

    @property
    def configured_server(self) -> Server | None:
        """The server, when it is a trunk's; who is behind a route set is judged by nobody."""
        return self.place if self.route is not None and isinstance(self.place, Server) else None


class Branch:
    """The owner of a client transaction of the proxy.

    ``client`` is None once there is nothing left to cancel. ``heard`` is whether anything came back, ``rang`` whether
    it was more than 100, ``given_up`` whether we went on without its answer. ``switched`` is whether the request went
    over TCP only for its size, ``breadth`` the Max-Breadth it went with, ``early`` the To tags of its early dialogs.
    """

    __slots__ = (
        "_ring_until",
        "attempt",
        "breadth",
        "client",
        "context",
        "early",
        "given_up",
        "heard",
        "rang",
        "switched",
        "timer",
    )

    def __init__(self, context: "ResponseContext", attempt: Attempt, *, breadth: int, switched: bool) -> None:
        self.context = context
        self.attempt = attempt
        self.breadth = breadth
        self.switched = switched
        self.client: ClientTransaction | None = None
        self.timer: Timer | None = None
        self.early: tuple[str, ...] = ()
        self.heard = False
        self.rang = False
        self.given_up = False
        self._ring_until = _NEVER

    def learn(self, tag: str | None, *, over: bool) -> None:
        """A provisional response of the early dialog with this To tag, or, with 199, the news of its end."""
        self.rang = True
        if over:
            self.early = tuple(other for other in self.early if other != tag)
        elif tag is not None and tag not in self.early:
            self.early = (*self.early[-_MOST_EARLY:], tag)

    def begin(self, timers: TimerHeap, timer_c: float, now: float) -> None:
        """The INVITE has left: bound how long the target may be silent, and how long it may ring."""
        until = now + timer_c
        route = self.attempt.route
        if route is not None:
            trunk = route[0]
            if trunk.ring_timeout:
                self._ring_until = now + trunk.ring_timeout
                until = min(until, self._ring_until)
            if trunk.response_timeout:
                until = min(until, now + trunk.response_timeout)
        self.timer = timers.start(until, self, 0)

    def watch(self, timers: TimerHeap, timer_c: float, now: float) -> None:
        """Start Timer C anew (RFC 3261 §16.7 (2)); the ring timeout goes on."""
        if self.timer is not None:
            self.timer.cancel()
        self.timer = timers.start(min(now + timer_c, self._ring_until), self, 0)

    def too_long(self, now: float) -> bool:
        """Whether the trunk's ring timeout is over."""
        return now >= self._ring_until

    def linger(self, timers: TimerHeap, seconds: float, now: float) -> None:
        """What crosses our CANCEL is waited for so long."""
        self.stop()
        self.timer = timers.start(now + seconds, self, 0)

    def stop(self) -> None:
        """Nothing is waited for any more."""
        if self.timer is not None:
            self.timer.cancel()

    def fire(self, _kind: int, now: float) -> None:
        """The wait is over."""
        self.context.keeper.due(self, now)
