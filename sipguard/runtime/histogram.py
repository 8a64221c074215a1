"""A latency histogram of plain integers: one bisection and one addition per observation."""

from bisect import bisect_left
from collections.abc import Sequence


class Histogram:
    """Counts of observations in buckets; ``bounds`` are the inclusive upper ends in seconds, ascending."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    def cumulative(self) -> list[tuple[str, float]]:
        """Bucket ends and how many observations are at or below each, as Prometheus wants them."""
        rows: list[tuple[str, float]] = []
        count = 0
        for bound, here in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            count += here
            rows.append((bound, float(count)))
        return rows
