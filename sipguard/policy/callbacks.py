"""Whom an emergency centre may be calling back: the numbers that called help not long ago.

The centre's own call may come unsigned and by any carrier, for it is made by hand when a call broke off; for a while
calls to such a number are not refused for how they arrive. The table is bounded: the oldest window closes first.
"""

from sipguard.stir.telephone_number import TN


class CallbackWindows:
    """When the window of each number closes, the next to close first as long as its length stays the same.

    ``capacity`` is how many are open at most. Times are wall-clock seconds.
    """

    __slots__ = ("_closes", "capacity")

    def __init__(self, capacity: int = 10_000) -> None:
        self.capacity = capacity
        self._closes: dict[TN, float] = {}

    def __len__(self) -> int:
        return len(self._closes)

    def open(self, tn: TN, now: float, seconds: float) -> None:
        """This number called help now; a length of nothing opens no window."""
        if seconds <= 0:
            return
        closes = self._closes
        closes.pop(tn, None)  # to the end
        closes[tn] = now + seconds
        while len(closes) > self.capacity or next(iter(closes.values())) <= now:
            del closes[next(iter(closes))]

    def is_open(self, tn: TN, now: float) -> bool:
        """Whether a call to this number may be the centre's."""
        until = self._closes.get(tn)
        return until is not None and now < until
