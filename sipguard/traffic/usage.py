"""Usage: what calls take of their limits, the rates of those that come and the number of those that are up.

A call holds its place among those that are up from the moment it is decided, before it leaves: many that are read at
once cannot all find the last place free. It gives the place back exactly once, whatever ends it. A call whose BYE was
lost ends when it has lasted longer than any call may, so no place is lost for ever.
"""

from sipguard.traffic.gcra import Gcra, Key
from sipguard.traffic.hugging import LimitUse
from sipguard.traffic.limit import CallLimit
from sipguard.traffic.repeats import Repeats


class Hold:
    """The places one call has."""

    __slots__ = ("_counts", "_keys")

    def __init__(self, counts: dict[Key, int], keys: list[Key]) -> None:
        self._counts = counts
        self._keys = keys
        for key in keys:
            counts[key] = counts.get(key, 0) + 1

    @property
    def keys(self) -> tuple[Key, ...]:
        """Which places these are."""
        return tuple(self._keys)

    def extended(self, keys: list[Key]) -> "Hold":
        """The same hold, with these places as well."""
        for key in keys:
            self._keys.append(key)
            self._counts[key] = self._counts.get(key, 0) + 1
        return self

    def move(self, kind: str, name: str) -> None:
        """The call takes its place of this kind elsewhere."""
        for index, key in enumerate(self._keys):
            if key[0] == kind and key[1] != name:
                self._give_back(key)
                moved = self._keys[index] = (kind, name)
                self._counts[moved] = self._counts.get(moved, 0) + 1

    def release(self) -> None:
        """The call is over. A second time does nothing."""
        keys, self._keys = self._keys, []
        for key in keys:
            self._give_back(key)

    def _give_back(self, key: Key) -> None:
        left = self._counts[key] - 1
        if left:
            self._counts[key] = left
        else:
            del self._counts[key]


class Usage:
    """The rates, the calls that are up by key, and who was called how often. A reload keeps all of it."""

    __slots__ = ("_counts", "near", "rates", "repeats")

    def __init__(self, capacity: int = 100_000) -> None:
        """``capacity`` bounds the keys whose rate is remembered."""
        self.rates = Gcra(capacity)
        self.repeats = Repeats()
        self.near = LimitUse(capacity)
        self._counts: dict[Key, int] = {}

    def hold(self, keys: list[Key]) -> Hold:
        """A call is up, or about to be."""
        return Hold(self._counts, keys)

    def up(self, key: Key) -> int:
        """How many calls are up."""
        return self._counts.get(key, 0)

    def is_full(self, key: Key, limit: CallLimit) -> bool:
        """Whether one more call would be too many."""
        return 0 < limit.concurrent <= self._counts.get(key, 0)
