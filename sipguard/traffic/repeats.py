"""Repeats: how often an account called one number lately, by the moments of its latest calls to it.

Only as many moments are kept as it takes to say "too often", and one more, which may be taken back. The table is
bounded and shared fairly: what an account called outside the window makes room first.
"""

from sipguard.traffic.shares import Pair, Shares


class Repeats:
    """The latest calls of each pair, those called last at the end. ``now`` and ``window`` are monotonic seconds."""

    __slots__ = ("_moments",)

    def __init__(self, capacity: int = 100_000) -> None:
        self._moments: Shares[tuple[float, ...]] = Shares(capacity)

    def __len__(self) -> int:
        return len(self._moments)

    @property
    def capacity(self) -> int:
        """How many pairs are remembered at most."""
        return self._moments.capacity

    @capacity.setter
    def capacity(self, capacity: int) -> None:
        self._moments.capacity = capacity

    def within(self, pair: Pair, window: float, now: float) -> int:
        """How many of the calls that are remembered were made within the window."""
        moments = self._moments.get(pair)
        return 0 if moments is None else sum(1 for moment in moments if moment > now - window)

    def count(self, pair: Pair, kept: int, window: float, now: float) -> None:
        """One more call; ``kept`` of those before it are remembered."""
        moments = (*(self._moments.take(pair) or ())[-kept:], now)
        while (oldest := self._moments.oldest(pair[0])) is not None and oldest[-1] <= now - window:
            self._moments.drop_oldest(pair[0])
        self._moments.put(pair, moments)

    def withdraw(self, pair: Pair) -> None:
        """The latest call went nowhere after all."""
        earlier = (self._moments.get(pair) or ())[:-1]
        if earlier:
            self._moments.change(pair, earlier)
        else:
            self._moments.take(pair)
