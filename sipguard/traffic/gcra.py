"""The generic cell rate algorithm (ITU-T I.371 annex A, virtual scheduling): a rate with a burst, one float per key.

The float is the moment at which everything a key has spent is paid back. A call costs one interval; it may come when
that moment is no further away than the tolerance. What is paid back is as good as never spent, so the table may forget
it, and at its bound it forgets the key that spent nothing for longest: that key gets a fresh burst, nobody loses one.
"""

from sipguard.traffic.limit import CallLimit

Key = tuple[str, str]  # of what kind, and which


class Gcra:
    """Rates by key. ``now`` is monotonic seconds."""

    __slots__ = ("_paid_back", "capacity")

    def __init__(self, capacity: int = 100_000) -> None:
        self.capacity = capacity
        self._paid_back: dict[Key, float] = {}  # in the order of the last call

    def __len__(self) -> int:
        return len(self._paid_back)

    def admits(self, key: Key, limit: CallLimit, now: float) -> bool:
        """Whether a call may come now; it is not counted yet."""
        most = now + limit.tolerance + 1e-9  # sums of intervals are not exact
        paid_back = self._paid_back.get(key, now)
        if paid_back <= most:
            return True
        if paid_back > most + limit.interval:  # spent while the limit was lower: what it costs now is enough
            self._paid_back[key] = most + limit.interval
        return False

    def spend(self, key: Key, limit: CallLimit, now: float) -> None:
        """A call came."""
        moment = max(self._paid_back.pop(key, now), now)
        while self._paid_back and len(self._paid_back) >= self.capacity:
            del self._paid_back[next(iter(self._paid_back))]
        self._paid_back[key] = moment + limit.interval
