"""Missed calls: who rings many people for an instant and hangs up, so that they call back (wangiri).

A call is *missed* here when it rang for less than so many seconds and its caller then gave up. An account is told by
all three of: how many of its calls of the last five minutes were missed, what share of its attempts they were, and how
many different people they went to. Attempts that still ring count in its favour.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

from sipguard.traffic.recent_counts import RecentCounts

WINDOW_SECONDS = 300.0
_BUCKETS = 10


@dataclass(frozen=True, slots=True)
class MissedCallThresholds:
    """``ring`` is the seconds below which a call given up was missed; ``calls`` how many are too many, 0: never.

    ``share`` is of the attempts, 0..1; ``callees`` is how many different numbers they went to.
    """

    ring: float = 2.0
    calls: int = 0
    share: float = 0.5
    callees: int = 15


class Missed(NamedTuple):
    """The figures of one account that crossed the thresholds."""

    calls: int
    attempts: int


class MissedCalls:
    """The attempts and missed calls of accounts. ``now`` is monotonic seconds."""

    __slots__ = ("_attempts", "_callees", "_missed")

    def __init__(self, capacity: int = 100_000) -> None:
        """``capacity`` bounds the accounts."""
        self._attempts = RecentCounts(WINDOW_SECONDS, _BUCKETS, capacity)
        self._missed = RecentCounts(WINDOW_SECONDS, _BUCKETS, capacity)
        self._callees: OrderedDict[str, OrderedDict[str, float]] = OrderedDict()  # the latest, and when

    @property
    def capacity(self) -> int:
        """How many accounts are remembered."""
        return self._attempts.capacity

    @capacity.setter
    def capacity(self, capacity: int) -> None:
        self._attempts.capacity = self._missed.capacity = capacity

    def attempted(self, account: str, now: float) -> None:
        """A call of the account was let through."""
        self._attempts.add((account, ""), now)

    def take_back(self, account: str) -> None:
        """Its last attempt was none."""
        self._attempts.take_back((account, ""))

    def gave_up(self, account: str, callee: str, rang: float, thresholds: MissedCallThresholds, now: float) -> None:
        """The caller hung up before an answer, after it had rung for so many seconds."""
        if rang >= thresholds.ring:
            return
        self._missed.add((account, ""), now)
        callees = self._callees.get(account)
        if callees is None:
            while len(self._callees) >= self.capacity:
                self._callees.popitem(last=False)
            callees = self._callees[account] = OrderedDict()
        self._callees.move_to_end(account)
        callees.pop(callee, None)
        callees[callee] = now
        while len(callees) > thresholds.callees:  # as many as are asked about, the latest of them
            callees.popitem(last=False)

    def judge(self, account: str, thresholds: MissedCallThresholds, now: float) -> Missed | None:
        """What convicts the account, None when nothing does."""
        key = (account, "")
        missed = self._missed.count(key, now)
        if missed < thresholds.calls:
            return None
        attempts = self._attempts.count(key, now)
        if missed < thresholds.share * attempts or not self._many(account, thresholds.callees, now):
            return None
        return Missed(missed, attempts)

    def _many(self, account: str, callees: int, now: float) -> bool:
        """Whether the missed calls of the window went to so many different people."""
        latest = self._callees.get(account)
        if latest is None or len(latest) < callees:
            return False
        return next(iter(latest.values())) > now - WINDOW_SECONDS
