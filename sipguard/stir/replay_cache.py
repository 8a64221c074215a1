"""The signatures accepted within their window, each with the call it came with (RFC 8224 §12.1, VS-12).

Keyed on r: a second valid signature is easily made from a first by negating s, but it keeps r. A signature whose window
is over is forgotten as new ones come, so memory follows the traffic of one window and not that of the day.
"""

from collections import OrderedDict

from sipguard.stir.unix_time import UnixTime


class ReplayCache:
    """A bounded memory of tokens; the oldest goes first."""

    __slots__ = ("_capacity", "_seen")

    def __init__(self, capacity: int) -> None:
        """``capacity``: how many signatures are remembered."""
        self._capacity = capacity
        self._seen: OrderedDict[int, tuple[str, UnixTime]] = OrderedDict()

    def __len__(self) -> int:
        """How many signatures are remembered."""
        return len(self._seen)

    def replayed(self, r: int, call_id: str, now: UnixTime, until: UnixTime) -> bool:
        """Whether this signature came with another call before; if not it is remembered for this one."""
        seen = self._seen
        known = seen.get(r)
        if known is not None and known[1] >= now:
            return known[0] != call_id
        seen[r] = (call_id, until)
        if known is not None:
            seen.move_to_end(r)
        self._forget(now)
        return False

    def _forget(self, now: UnixTime) -> None:
        """One comes, two may go: what is over leaves faster than it came. Their order is about that of their ends."""
        seen = self._seen
        for _ in range(2):
            oldest = next(iter(seen))
            if len(seen) <= self._capacity and seen[oldest][1] >= now:
                return
            del seen[oldest]
