"""Recent counts, held against a plain list of timestamps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipguard.traffic.recent_counts import RecentCounts

KEY = ("acme", "GN")
WINDOWS = st.sampled_from([(900.0, 15), (300.0, 10), (3600.0, 12), (10.0, 1), (60.0, 7)])
PAUSES = st.lists(st.floats(0, 2000, allow_nan=False) | st.floats(0, 5, allow_nan=False), max_size=80)


@pytest.mark.clause("policy: destinations")
@given(WINDOWS, PAUSES, st.floats(0, 5000, allow_nan=False))
def test_never_more_than_there_were_and_less_by_a_bucket_at_most(
    window: tuple[float, int], pauses: list[float], later: float
) -> None:
    """At every moment between all of the window's events and those of the window without its oldest bucket."""
    seconds, buckets = window
    counts = RecentCounts(seconds, buckets)
    now, moments = 0.0, []
    for pause in [*pauses, later]:
        now += pause
        said = counts.count(KEY, now)
        inside = [moment for moment in moments if moment > now - seconds]
        certain = [moment for moment in moments if moment > now - seconds + seconds / buckets]
        assert len(certain) <= said <= len(inside)
        counts.add(KEY, now)
        moments.append(now)


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.floats(0, 400, allow_nan=False)), max_size=80))
def test_keys_know_nothing_of_each_other(events: list[tuple[str, float]]) -> None:
    """The count of a key is what it would be alone, also after others were forgotten because nothing happened there."""
    together = RecentCounts(300.0, 10)
    alone = {name: RecentCounts(300.0, 10) for name in "abcdefgh"}
    now = 0.0
    for name, pause in events:
        now += pause
        together.add((name, ""), now)
        alone[name].add((name, ""), now)
        for other, counts in alone.items():
            assert together.count((other, ""), now) == counts.count((other, ""), now)


def test_what_was_none_is_taken_back() -> None:
    """Once for each time; what is not there, or is over, is left alone."""
    counts = RecentCounts(300.0, 10)
    counts.take_back(KEY)
    for moment in (1.0, 40.0, 40.0):
        counts.add(KEY, moment)
    for left in (2, 1, 0, 0):
        counts.take_back(KEY)
        assert counts.count(KEY, 40.0) == left
    counts.add(KEY, 41.0)
    assert counts.count(KEY, 41.0) == 1


def test_the_table_is_bounded() -> None:
    """At its bound the key that nothing happened to for longest is forgotten; what is over makes room before that."""
    counts = RecentCounts(300.0, 10, capacity=3)
    for name in ("a", "b", "c", "a", "d"):
        counts.add((name, ""), 1.0)
    assert [counts.count((name, ""), 1.0) for name in "abcd"] == [2, 0, 1, 1]
    counts.add(("e", ""), 1000.0)
    assert len(counts) == 2
    counts.add(("f", ""), 1000.0)
    assert len(counts) == 2


def test_a_smaller_bound_takes_effect() -> None:
    """As after a reload."""
    counts = RecentCounts(300.0, 10)
    for number in range(50):
        counts.add((str(number), ""), 1.0)
    counts.capacity = 10
    counts.add(("new", ""), 1.0)
    assert len(counts) == 10


def test_time_that_stands_still_or_goes_back_loses_nothing() -> None:
    """What comes late counts into the newest bucket."""
    counts = RecentCounts(300.0, 10)
    for moment in (100.0, 100.0, 20.0):
        counts.add(KEY, moment)
    assert counts.count(KEY, 100.0) == 3
    assert counts.count(KEY, 401.0) == 0
