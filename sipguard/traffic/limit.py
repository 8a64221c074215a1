"""A limit on calls: how many a second, how many at once on top of that, how many at the same time."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CallLimit:
    """``rate`` is calls a second, ``burst`` how many may come at once, ``concurrent`` how many may be up; 0: no limit.

    Without a ``burst`` as many may come at once as in a second.
    """

    rate: float = 0.0
    burst: int = 0
    concurrent: int = 0

    @property
    def interval(self) -> float:
        """Seconds a call costs. Only of a limit with a rate."""
        return 1.0 / self.rate

    @property
    def tolerance(self) -> float:
        """Seconds that calls may come too early, all together: those of a burst but its first."""
        return max(self.burst or int(self.rate), 1) * self.interval - self.interval

    def stricter(self, other: "CallLimit") -> "CallLimit":
        """Both limits in one: the lower rate, with its burst, and the lower number."""
        slower = min((limit for limit in (self, other) if limit.rate), key=lambda limit: limit.rate, default=UNLIMITED)
        numbers = [limit.concurrent for limit in (self, other) if limit.concurrent]
        return CallLimit(slower.rate, slower.burst, min(numbers, default=0))


UNLIMITED = CallLimit()
MODEST = CallLimit(rate=1.0, concurrent=10)  # what is left to a customer who is to be held back
