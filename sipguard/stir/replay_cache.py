"""The signatures accepted within their window, each with the call it came with (RFC 8224 §12.1, VS-12).

Keyed on r: a second valid signature is easily made from a first by negating s, but it keeps r.
"""

from collections import OrderedDict

from sipguard.stir.unix_time import UnixTime


class ReplayCache:
    """A bounded memory of tokens; the oldest goes first."""

    def __init__(self, capacity: int) -> None:
        """``capacity``: how many signatures are remembered."""
        self._capacity = capacity
        self._seen: OrderedDict[int, tuple[str, UnixTime]] = OrderedDict()

    def replayed(self, r: int, call_id: str, now: UnixTime, until: UnixTime) -> bool:
        """Whether this signature came with another call before; if not it is remembered for this one."""
        seen = self._seen
        known = seen.get(r)
        if known is not None and known[1] >= now:
            return known[0] != call_id
        seen[r] = (call_id, until)
        if len(seen) > self._capacity:
            seen.popitem(last=False)
        return False
