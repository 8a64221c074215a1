"""What is to be done at a later time: a heap of alarms, for agents and relay."""

import itertools
from collections.abc import Callable
from heapq import heappop, heappush


class Alarm:
    """One thing to be done; ``stop`` and it is not."""

    __slots__ = ("action",)

    def __init__(self, action: Callable[[float], None]) -> None:
        self.action: Callable[[float], None] | None = action

    def stop(self) -> None:
        """Never do it."""
        self.action = None


class Clockwork:
    """Alarms by time, monotonic seconds."""

    def __init__(self) -> None:
        self._alarms: list[tuple[float, int, Alarm]] = []
        self._serial = itertools.count()

    def at(self, when: float, action: Callable[[float], None]) -> Alarm:
        """Call ``action(now)`` when ``tick`` comes by at ``when`` or later."""
        alarm = Alarm(action)
        heappush(self._alarms, (when, next(self._serial), alarm))
        return alarm

    def tick(self, now: float) -> None:
        """Do what is due."""
        alarms = self._alarms
        while alarms and alarms[0][0] <= now:
            action = heappop(alarms)[2].action
            if action is not None:
                action(now)

    def wait(self, now: float, longest: float) -> float:
        """Seconds until something is due, at most ``longest``."""
        return max(0.0, min(longest, self._alarms[0][0] - now)) if self._alarms else longest
