"""One heap for everything that waits: transaction timers, Timer C, the bound on a parked call.

The heap holds due times, each once, because comparing numbers is all it does; the timers of a time stand beside it.
Cancelling is lazy. A cancelled timer only lets go of its owner (so nothing it pointed to is kept alive) and stays until
it is due or until all are gathered anew without such, which is when there are twice as many as were left the last time.
Starting costs O(log n) and cancelling O(1) on average, however far away the due time is. Nothing here reads a clock:
whoever owns the heap says what time it is.
"""

from heapq import heapify, heappop, heappush
from typing import Protocol

_GATHER_FROM = 2048  # fewer aren't worth it


class TimerOwner(Protocol):
    """Whoever a timer wakes."""

    def fire(self, kind: int, now: float) -> None:
        """The timer started with ``kind`` is due."""


class Timer:
    """One running timer; ``owner`` is None once it fired or was cancelled."""

    __slots__ = ("kind", "owner")

    def __init__(self, owner: TimerOwner, kind: int) -> None:
        self.owner: TimerOwner | None = owner
        self.kind = kind

    def cancel(self) -> None:
        """Never fire. Cancelling a timer that fired or was cancelled does nothing."""
        self.owner = None


class TimerHeap:
    """All running timers by due time; equal times fire in the order they were started."""

    __slots__ = ("_at", "_gather_at", "_held", "_times")

    def __init__(self) -> None:
        self._times: list[float] = []
        self._at: dict[float, list[Timer]] = {}
        self._held = 0  # timers, with those that were cancelled
        self._gather_at = _GATHER_FROM

    def __len__(self) -> int:
        """How many timers are running; looks at every one."""
        return sum(timer.owner is not None for timers in self._at.values() for timer in timers)

    def start(self, when: float, owner: TimerOwner, kind: int) -> Timer:
        """Call ``owner.fire(kind, now)`` at the first tick at or after ``when`` (monotonic seconds)."""
        if self._held >= self._gather_at:
            self._gather()
        timer = Timer(owner, kind)
        self._held += 1
        others = self._at.get(when)
        if others is None:
            self._at[when] = [timer]
            heappush(self._times, when)
        else:
            others.append(timer)
        return timer

    def tick(self, now: float) -> None:
        """Fire every timer due at ``now``, earliest first, those started meanwhile included."""
        times = self._times
        while times and times[0] <= now:
            timer = self._next()
            owner = timer.owner
            if owner is not None:
                timer.owner = None
                owner.fire(timer.kind, now)

    def deadline(self) -> float | None:
        """When the next running timer is due, or None when nothing waits."""
        times = self._times
        while times and self._at[times[0]][0].owner is None:
            self._next()
        return times[0] if times else None

    def _next(self) -> Timer:
        """Take out the first one of the earliest time."""
        timers = self._at[self._times[0]]
        timer = timers.pop(0)
        self._held -= 1
        if not timers:
            del self._at[heappop(self._times)]
        return timer

    def _gather(self) -> None:
        """Leave the cancelled out."""
        self._held = 0
        for when, timers in list(self._at.items()):
            if len(timers) > 1:
                timers[:] = [timer for timer in timers if timer.owner is not None]
            elif timers[0].owner is None:
                timers.clear()
            if timers:
                self._held += len(timers)
            else:
                del self._at[when]
        self._times[:] = self._at  # in place: tick holds the list
        heapify(self._times)
        self._gather_at = max(_GATHER_FROM, 2 * self._held)
