"""Accounts that keep just below their limits."""

import pytest

from sipguard.traffic.hugging import HuggingSettings, LimitUse
from sipguard.traffic.limit import CallLimit

SETTINGS = HuggingSettings(share=0.9, window=60.0, windows=10)
ACME = ("account", "acme")
RATE = CallLimit(rate=1.0)
PLACES = CallLimit(concurrent=10)


def use(limit: CallLimit, calls_per_window: int, windows: int, up: int = 0, every: int = 1) -> int:
    """What is said at the first call after so many windows with so many calls each."""
    watch = LimitUse()
    for window in range(0, windows, every):
        for call in range(calls_per_window):
            watch.called(ACME, limit, up, window * 60.0 + call * 60.0 / calls_per_window, SETTINGS)
    return watch.called(ACME, limit, up, windows * 60.0, SETTINGS)


@pytest.mark.clause("policy: evading filters")
@pytest.mark.parametrize(("calls", "full"), [(60, 12), (54, 12), (53, 0), (10, 0)])
def test_a_rate_is_hugged_from_nine_tenths_on(calls: int, full: int) -> None:
    """54 of 60 calls a minute, window after window; below nobody looks."""
    assert use(RATE, calls, 12) == full


@pytest.mark.parametrize(("up", "full"), [(9, 12), (8, 12), (7, 0)])
def test_places_are_hugged_when_calls_take_the_last_ones(up: int, full: int) -> None:
    """The ninth and tenth of ten places, however few calls come."""
    assert use(PLACES, 3, 12, up) == full


@pytest.mark.parametrize("limit", [CallLimit(concurrent=1), CallLimit(concurrent=4)])
def test_few_places_are_not_judged(limit: CallLimit) -> None:
    """One line is full with every call."""
    assert use(limit, 3, 12, limit.concurrent - 1) == 0


def test_a_window_without_calls_or_with_few_ends_the_row() -> None:
    """It is about keeping at the limit for long, not about how often."""
    assert use(RATE, 60, 12, every=2) == 0
    watch = LimitUse()
    for window, calls in enumerate((60, 60, 60, 5, 60, 60)):
        for call in range(calls):
            watch.called(ACME, RATE, 0, window * 60.0 + call * 60.0 / calls, SETTINGS)
    assert watch.called(ACME, RATE, 0, 360.0, SETTINGS) == 2


def test_accounts_are_apart_and_bounded() -> None:
    """The account that was quiet for longest is forgotten first."""
    watch = LimitUse(capacity=2)
    for account in ("a", "b", "a", "c"):
        watch.called(("account", account), RATE, 0, 0.0, SETTINGS)
    assert len(watch) == 2
    assert {name for _, name in watch._uses} == {"a", "c"}
