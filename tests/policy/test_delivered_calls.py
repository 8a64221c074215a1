"""The table of calls that were delivered and may be forwarded."""

import pytest

from sipguard.policy.delivered_calls import DeliveredCall, DeliveredCalls

PAIR, OTHER, THIRD = ("1", "2"), ("1", "3"), ("2", "3")


def call(until=100.0, forwards=1):
    """An unsigned call."""
    return DeliveredCall(until, forwards, (), ())


@pytest.mark.clause("policy")
def test_a_call_counts_for_a_while():
    """It is found by both its numbers, until its time is over."""
    calls, first = DeliveredCalls(), call()
    calls.add(PAIR, first, 0.0)
    assert calls.find(PAIR, 99.9) is first
    assert calls.find(PAIR, 100.0) is None
    assert calls.find(OTHER, 1.0) is None
    assert calls.find(("2", "1"), 1.0) is None


@pytest.mark.clause("policy")
def test_the_latest_call_takes_the_place_of_the_one_before():
    """Of one caller and one number there is one call, the latest."""
    calls, second = DeliveredCalls(), call(200.0)
    calls.add(PAIR, call(), 0.0)
    calls.add(OTHER, call(), 0.0)
    calls.add(PAIR, second, 50.0)
    assert len(calls) == 2
    assert calls.find(PAIR, 150.0) is second


@pytest.mark.clause("policy")
def test_the_table_is_bounded():
    """What is over goes as new calls come; the oldest goes when there are too many."""
    calls = DeliveredCalls(2)
    for pair, now in ((PAIR, 0.0), (OTHER, 1.0), (THIRD, 2.0)):
        calls.add(pair, call(100.0 + now), now)
    assert len(calls) == 2
    assert calls.find(PAIR, 3.0) is None
    calls.add(PAIR, call(300.0), 102.0)
    assert len(calls) == 1
