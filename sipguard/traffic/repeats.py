"""Repeats: how often an account called one number lately, by the moments of its latest calls to it.

Only as many moments are kept as it takes to say "too often", and one more, which may be taken back. The table is
bounded: a pair nobody called in the window makes room first, at the bound the pair called longest ago.
"""

Pair = tuple[str, str]  # the account and the called number


class Repeats:
    """The latest calls of each pair, those called last at the end. ``now`` and ``window`` are monotonic seconds."""

    __slots__ = ("_moments", "capacity")

    def __init__(self, capacity: int = 100_000) -> None:
        self.capacity = capacity
        self._moments: dict[Pair, tuple[float, ...]] = {}

    def __len__(self) -> int:
        return len(self._moments)

    def within(self, pair: Pair, window: float, now: float) -> int:
        """How many of the calls that are remembered were made within the window."""
        moments = self._moments.get(pair)
        return 0 if moments is None else sum(1 for moment in moments if moment > now - window)

    def count(self, pair: Pair, kept: int, window: float, now: float) -> None:
        """One more call; ``kept`` of those before it are remembered."""
        moments = self._moments
        latest = (*moments.pop(pair, ())[-kept:], now)
        while moments and (len(moments) >= self.capacity or next(iter(moments.values()))[-1] <= now - window):
            del moments[next(iter(moments))]
        moments[pair] = latest

    def withdraw(self, pair: Pair) -> None:
        """The latest call went nowhere after all."""
        latest = self._moments.get(pair, ())[:-1]
        if latest:
            self._moments[pair] = latest
        else:
            self._moments.pop(pair, None)
