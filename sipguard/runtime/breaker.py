"""A circuit breaker: what failed several times in a row is left alone for a while, so that it costs calls nothing."""


class Breaker:
    """Counts failures in a row; ``now`` is monotonic seconds. After a rest one attempt decides how it goes on."""

    __slots__ = ("_failures", "_limit", "_rest", "_until")

    def __init__(self, limit: int, rest: float) -> None:
        """``limit`` failures in a row, then no attempt for ``rest`` seconds."""
        self._limit = limit
        self._rest = rest
        self._failures = 0
        self._until = float("-inf")

    def resting(self, now: float) -> bool:
        """Whether nothing should be tried now."""
        return now < self._until

    def failed(self, now: float, *, grave: bool = False) -> bool:
        """Note a failure, a grave one as good as the limit; whether this is what begins an outage."""
        begins = self._failures < self._limit
        self._failures = max(self._failures + 1, self._limit if grave else 0)
        if self._failures < self._limit:
            return False
        self._until = now + self._rest
        return begins

    def succeeded(self) -> bool:
        """Note a success; whether it ends an outage."""
        ends = self._failures >= self._limit
        self._failures = 0
        return ends
