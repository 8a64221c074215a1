"""The rate of calls by key: its figures, its burst, its memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipguard.traffic.gcra import Gcra
from sipguard.traffic.limit import CallLimit

KEY = ("trunk", "acme-pbx")


def admitted(limit: CallLimit, moments: list[float], rates: Gcra | None = None) -> list[bool]:
    """Which of the calls at these moments are let in."""
    rates = Gcra() if rates is None else rates
    answers = []
    for now in moments:
        answers.append(rates.admits(KEY, limit, now))
        if answers[-1]:
            rates.spend(KEY, limit, now)
    return answers


def test_a_burst_then_the_rate() -> None:
    """Three at once, then one each half second, and a pause earns the burst back."""
    limit = CallLimit(rate=2.0, burst=3)
    assert admitted(limit, [0.0, 0.0, 0.0, 0.0, 0.4, 0.5, 0.6, 1.0]) == [True] * 3 + [False, False, True, False, True]
    assert admitted(limit, [0.0, 0.0, 0.0, 9.0, 9.0, 9.0, 9.0]) == [True] * 6 + [False]


@pytest.mark.parametrize(("rate", "at_once"), [(0.2, 1), (1.0, 1), (5.0, 5), (7.5, 7)])
def test_without_a_burst_a_second_may_come_at_once(rate: float, at_once: int) -> None:
    """And always one."""
    assert sum(admitted(CallLimit(rate=rate), [3.0] * 20)) == at_once


def test_what_is_refused_costs_nothing() -> None:
    """Somebody who keeps on trying still gets the rate."""
    moments = [number / 100 for number in range(1000)]
    assert sum(admitted(CallLimit(rate=1.0, burst=1), moments)) == 10


@given(st.lists(st.floats(0, 0.5), max_size=200), st.floats(0.1, 50.0), st.integers(1, 20))
def test_never_more_than_burst_and_rate(gaps: list[float], rate: float, burst: int) -> None:
    """In no stretch of time are more let in than the burst and what the rate gives meanwhile."""
    moments, now = [], 0.0
    for gap in gaps:
        now += gap
        moments.append(now)
    limit = CallLimit(rate=rate, burst=burst)
    let_in = [moment for moment, ok in zip(moments, admitted(limit, moments), strict=True) if ok]
    for first in range(len(let_in)):
        for last in range(first, len(let_in)):
            assert last - first + 1 <= burst + (let_in[last] - let_in[first]) * rate + 1e-6


def test_keys_are_apart_and_memory_is_bounded() -> None:
    """The key that spent nothing for longest is forgotten, the others stay spent."""
    rates, limit = Gcra(capacity=1000), CallLimit(rate=0.001)
    for number in range(1500):
        rates.spend(("number", str(number)), limit, 0.0)
    assert len(rates) == 1000
    assert rates.admits(("number", "499"), limit, 0.0)
    assert not rates.admits(("number", "500"), limit, 0.0)


def test_a_limit_that_was_raised_is_in_force_at_once() -> None:
    """What was spent under the lower one is not waited for: the next call comes after one interval of the new."""
    rates = Gcra()
    assert admitted(CallLimit(rate=0.01, burst=5), [0.0] * 6, rates) == [True] * 5 + [False]
    assert admitted(CallLimit(rate=10.0, burst=10), [1.0, 1.1, 1.15, 1.2], rates) == [False, True, False, True]
