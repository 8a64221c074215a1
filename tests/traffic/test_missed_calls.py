"""Missed calls: what convicts an account, and what does not."""

from dataclasses import replace

import pytest

from sipguard.traffic.missed_calls import Missed, MissedCalls, MissedCallThresholds

FIGURES = MissedCallThresholds(ring=2.0, calls=10, share=0.5, callees=5)


def traffic(
    missed: int, others: int = 0, callees: int = 10, rang: float = 1.0, every: float = 1.0, capacity: int = 100
) -> tuple[MissedCalls, float]:
    """So many calls that were given up after ringing so long, among others, and when the last of them was."""
    calls, now = MissedCalls(capacity), 0.0
    for position in range(missed):
        now += every
        calls.attempted("acme", now)
        calls.gave_up("acme", f"2247{position % callees}", rang, FIGURES, now)
    for _ in range(others):
        calls.attempted("acme", now)
    return calls, now


@pytest.mark.clause("policy: destinations")
def test_many_short_rings_convict() -> None:
    """So many, such a share, so many people."""
    calls, now = traffic(missed=10, others=10)
    assert calls.judge("acme", FIGURES, now) == Missed(10, 20)
    assert calls.judge("other", FIGURES, now) is None


@pytest.mark.parametrize(
    "innocent",
    [
        {"missed": 9},
        {"missed": 10, "others": 11},
        {"missed": 30, "callees": 4},
        {"missed": 30, "rang": 2.0},
        {"missed": 30, "every": 40.0},
    ],
)
def test_what_does_not(innocent: dict[str, float]) -> None:
    """Too few, too small a share, the same few people, rings that were long enough, spread over more time."""
    calls, now = traffic(**innocent)  # type: ignore[arg-type]
    assert calls.judge("acme", FIGURES, now) is None


def test_people_of_long_ago_do_not_count() -> None:
    """One callee rung over and over does not borrow the others of an earlier burst."""
    calls, now = traffic(missed=10)
    now += 400.0
    for _ in range(20):
        now += 1.0
        calls.attempted("acme", now)
        calls.gave_up("acme", "22479", 1.0, FIGURES, now)
    assert calls.judge("acme", FIGURES, now) is None


def test_it_is_over_five_minutes_later() -> None:
    """Nothing is held against anybody for longer."""
    calls, now = traffic(missed=50)
    assert calls.judge("acme", FIGURES, now + 200.0) is not None
    assert calls.judge("acme", FIGURES, now + 301.0) is None


def test_memory_is_bounded() -> None:
    """By accounts and, for each, by the number of people that is asked about."""
    calls, now = traffic(missed=500, callees=500, every=0.1, capacity=3)
    assert len(calls._callees["acme"]) == FIGURES.callees
    for name in "abcdef":
        calls.attempted(name, now)
        calls.gave_up(name, "1", 0.5, FIGURES, now)
    assert (len(calls._callees), len(calls._attempts), len(calls._missed)) == (3, 3, 3)


def test_nobody_is_asked_about_more_people_than_are_remembered() -> None:
    """A larger figure, as after a reload, waits until there are so many."""
    calls, now = traffic(missed=100, callees=100, every=0.1)
    assert calls.judge("acme", replace(FIGURES, callees=6), now) is None
