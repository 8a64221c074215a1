"""One-sided confidence bounds: what a small sample still allows the truth to be.

``lower``/``upper`` are Wilson's bounds of a proportion; ``count_lower`` is the Wilson-Hilferty bound of a Poisson
count, which bounds the mean duration of calls from above when some of them are still running.
"""

from math import sqrt


def lower(successes: int, trials: int, z: float) -> float:
    """The proportion that is exceeded with the confidence of ``z``; 0.0 without trials."""
    if trials <= 0:
        return 0.0
    centre, margin, scale = _parts(successes, trials, z)
    return max(0.0, (centre - margin) / scale)


def upper(successes: int, trials: int, z: float) -> float:
    """The proportion that is not exceeded with the confidence of ``z``; 1.0 without trials."""
    if trials <= 0:
        return 1.0
    centre, margin, scale = _parts(successes, trials, z)
    return min(1.0, (centre + margin) / scale)


def _parts(successes: int, trials: int, z: float) -> tuple[float, float, float]:
    share = successes / trials
    square = z * z / trials
    return share + square / 2, z * sqrt(share * (1 - share) / trials + square / (4 * trials)), 1 + square


def count_lower(count: int, z: float) -> float:
    """The expected number of events that is exceeded with the confidence of ``z`` when ``count`` were seen."""
    if count <= 0:
        return 0.0
    return count * max(0.0, 1 - 1 / (9 * count) - z / (3 * sqrt(count))) ** 3
