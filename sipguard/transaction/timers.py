"""One heap for everything that waits: transaction timers, Timer C, the bound on a parked call.

Cancelling is lazy. A cancelled timer only lets go of its owner (so nothing it pointed to is kept alive) and stays in
the heap until it is due or until the heap is rebuilt without such, which is when it has grown to twice what was left
the last time. Starting costs O(log n) and cancelling O(1) on average, however far away the due time is. Nothing here
reads a clock: whoever owns the heap says what time it is.
"""

from heapq import heapify, heappop, heappush
from typing import Protocol

_REBUILD_FROM = 2048  # fewer entries aren't worth a rebuild


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

    __slots__ = ("_entries", "_rebuild_at", "_serial")

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Timer]] = []
        self._serial = 0  # breaks ties, so that timers themselves are never compared
        self._rebuild_at = _REBUILD_FROM

    def __len__(self) -> int:
        """How many timers are running; looks at every one."""
        return sum(entry[2].owner is not None for entry in self._entries)

    def start(self, when: float, owner: TimerOwner, kind: int) -> Timer:
        """Call ``owner.fire(kind, now)`` at the first tick at or after ``when`` (monotonic seconds)."""
        timer = Timer(owner, kind)
        self._serial += 1
        entries = self._entries
        if len(entries) >= self._rebuild_at:
            self._rebuild()
        heappush(entries, (when, self._serial, timer))
        return timer

    def tick(self, now: float) -> None:
        """Fire every timer due at ``now``, earliest first, those started meanwhile included."""
        entries = self._entries
        while entries and entries[0][0] <= now:
            timer = heappop(entries)[2]
            owner = timer.owner
            if owner is not None:
                timer.owner = None
                owner.fire(timer.kind, now)

    def deadline(self) -> float | None:
        """When the next running timer is due, or None when nothing waits."""
        entries = self._entries
        while entries and entries[0][2].owner is None:
            heappop(entries)
        return entries[0][0] if entries else None

    def _rebuild(self) -> None:
        """Leave the cancelled out."""
        entries = self._entries
        entries[:] = [entry for entry in entries if entry[2].owner is not None]  # in place: tick holds the list
        heapify(entries)
        self._rebuild_at = max(_REBUILD_FROM, 2 * len(entries))
