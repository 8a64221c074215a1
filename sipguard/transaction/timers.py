"""One heap for everything that waits: transaction timers, Timer C, the bound on a parked call.

Cancelling is lazy. A cancelled timer only lets go of its owner (so nothing it pointed to is kept alive) and stays in
the heap until it is due or until cancelled entries are the majority, when the heap is rebuilt without them. Starting
costs O(log n) and cancelling O(1) on average, however far away the due time is. Nothing here reads a clock: whoever
owns the heap says what time it is.
"""

from heapq import heapify, heappop, heappush
from typing import Protocol

_REBUILD_FROM = 1024  # cancelled entries below this number aren't worth a rebuild


class TimerOwner(Protocol):
    """Whoever a timer wakes."""

    def fire(self, kind: int, now: float) -> None:
        """The timer started with ``kind`` is due."""


class Timer:
    """One running timer; ``owner`` is None once it fired or was cancelled."""

    __slots__ = ("_heap", "kind", "owner")

    def __init__(self, heap: "TimerHeap", owner: TimerOwner, kind: int) -> None:
        self._heap = heap
        self.owner: TimerOwner | None = owner
        self.kind = kind

    def cancel(self) -> None:
        """Never fire. Cancelling a timer that fired or was cancelled does nothing."""
        if self.owner is not None:
            self.owner = None
            self._heap.discard()


class TimerHeap:
    """All running timers by due time; equal times fire in the order they were started."""

    __slots__ = ("_cancelled", "_entries", "_serial")

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Timer]] = []
        self._serial = 0  # breaks ties, so that timers themselves are never compared
        self._cancelled = 0

    def __len__(self) -> int:
        """How many timers are running."""
        return len(self._entries) - self._cancelled

    def start(self, when: float, owner: TimerOwner, kind: int) -> Timer:
        """Call ``owner.fire(kind, now)`` at the first tick at or after ``when`` (monotonic seconds)."""
        timer = Timer(self, owner, kind)
        self._serial += 1
        heappush(self._entries, (when, self._serial, timer))
        return timer

    def tick(self, now: float) -> None:
        """Fire every timer due at ``now``, earliest first, those started meanwhile included."""
        entries = self._entries
        while entries and entries[0][0] <= now:
            timer = heappop(entries)[2]
            owner = timer.owner
            if owner is None:
                self._cancelled -= 1
            else:
                timer.owner = None
                owner.fire(timer.kind, now)

    def deadline(self) -> float | None:
        """When the next running timer is due, or None when nothing waits."""
        entries = self._entries
        while entries and entries[0][2].owner is None:
            heappop(entries)
            self._cancelled -= 1
        return entries[0][0] if entries else None

    def discard(self) -> None:
        """Count one more cancelled entry (called by ``Timer.cancel``) and rebuild the heap when most are."""
        self._cancelled += 1
        entries = self._entries
        if self._cancelled >= _REBUILD_FROM and self._cancelled * 2 > len(entries):
            entries[:] = [entry for entry in entries if entry[2].owner is not None]  # in place: tick holds the list
            heapify(entries)
            self._cancelled = 0
