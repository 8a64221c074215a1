"""The memory of signatures: it finds a replay while the window lasts, and does not grow with the day."""

import pytest

from sipguard.stir.replay_cache import ReplayCache
from sipguard.stir.unix_time import UnixTime

WINDOW = 60


def remember(cache: ReplayCache, r: int, second: int, call_id: str = "") -> bool:
    """One accepted signature, dated at the second it came."""
    return cache.replayed(r, call_id or f"call-{r}", UnixTime(second), UnixTime(second + WINDOW))


@pytest.mark.clause("VS-12", "RFC 8224 12.1")
def test_signature_comes_twice() -> None:
    """Within its window a signature with another call is a replay, with its own call it is not."""
    cache = ReplayCache(10)
    assert not remember(cache, 1, 0)
    assert not remember(cache, 1, WINDOW)
    assert remember(cache, 1, WINDOW, "another call")


@pytest.mark.clause("VS-12")
def test_memory_follows_the_window() -> None:
    """However many signatures came, only those of one window are remembered."""
    cache = ReplayCache(100_000)
    for r in range(1, 20_001):
        remember(cache, r, r // 10)  # ten a second
    assert len(cache) <= 10 * (WINDOW + 2)
    assert remember(cache, 20_000 - 10 * WINDOW + 10, 2000, "another call")


@pytest.mark.clause("VS-12")
def test_burst_is_forgotten() -> None:
    """After a burst memory shrinks although new signatures keep coming."""
    cache = ReplayCache(100_000)
    for r in range(1, 5001):
        remember(cache, r, 0)
    for r in range(5001, 10_002):
        remember(cache, r, WINDOW + 1)
    assert len(cache) == 5001


def test_capacity_holds() -> None:
    """A flood within one window pushes the oldest out."""
    cache = ReplayCache(3)
    for r in range(1, 6):
        remember(cache, r, 0)
    assert len(cache) == 3
    assert remember(cache, 5, 1, "another call")
    assert not remember(cache, 1, 1, "another call")


def test_expired_signature_starts_anew() -> None:
    """One that comes again after its window counts from then, and is not pushed out as an old one."""
    cache = ReplayCache(2)
    remember(cache, 1, 0)
    remember(cache, 2, WINDOW)
    remember(cache, 1, WINDOW + 1)
    remember(cache, 3, WINDOW + 1)
    assert remember(cache, 1, WINDOW + 2, "another call")
