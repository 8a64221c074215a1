"""Hugging: an account that keeps just below its limits, window after window, as somebody does who knows them.

A window is full when the calls let in were at least ``share`` of what the rate allows, or when at least ``share`` of
them took one of the last places of those that may be up at the same time. A window without calls ends a row. Few places
are full most of the time, so a limit below ``FEWEST_PLACES`` is not judged.
"""

from dataclasses import dataclass

from sipguard.traffic.gcra import Key
from sipguard.traffic.limit import CallLimit

FEWEST_PLACES = 5


@dataclass(frozen=True, slots=True)
class HuggingSettings:
    """``windows`` full windows in a row of ``window`` seconds each are hugging; 0 windows: nobody looks.

    ``share`` is how near to the limit, from 0 to 1.
    """

    share: float = 0.9
    window: float = 60.0
    windows: int = 10


class _Use:
    __slots__ = ("calls", "crowded", "full", "window")

    def __init__(self, window: int) -> None:
        self.window = window
        self.calls = 0
        self.crowded = 0
        self.full = 0  # windows in a row before this one


class LimitUse:
    """How near accounts keep to their limits; ``capacity`` bounds how many. ``now`` is monotonic seconds."""

    __slots__ = ("_uses", "capacity")

    def __init__(self, capacity: int = 100_000) -> None:
        self.capacity = capacity
        self._uses: dict[Key, _Use] = {}  # in the order of the last call

    def __len__(self) -> int:
        return len(self._uses)

    def called(self, key: Key, limit: CallLimit, up: int, now: float, settings: HuggingSettings) -> int:
        """A call was let in while ``up`` others were: how many windows in a row were full before this one."""
        number = int(now // settings.window)
        use = self._uses.pop(key, None)  # to the end
        if use is None:
            while self._uses and len(self._uses) >= self.capacity:
                del self._uses[next(iter(self._uses))]
            use = _Use(number)
        elif use.window != number:
            use = _next(use, number, limit, settings)
        self._uses[key] = use
        use.calls += 1
        if limit.concurrent >= FEWEST_PLACES and up + 1 >= settings.share * limit.concurrent:
            use.crowded += 1
        return use.full


def _next(use: _Use, number: int, limit: CallLimit, settings: HuggingSettings) -> _Use:
    """The use of a later window."""
    following = _Use(number)
    if number == use.window + 1 and _is_full(use, limit, settings):
        following.full = use.full + 1
    return following


def _is_full(use: _Use, limit: CallLimit, settings: HuggingSettings) -> bool:
    if limit.rate and use.calls >= settings.share * limit.rate * settings.window:
        return True
    return use.crowded > 0 and use.crowded >= settings.share * use.calls
