"""Repeated calls: counted, forgotten, bounded, taken back."""

from hypothesis import given
from hypothesis import strategies as st

from sipguard.traffic.repeats import Repeats

DAY = 86_400.0
PAIR, OTHER = ("acme", "14155550150"), ("acme", "14155550151")


def test_calls_of_a_pair_are_counted_within_the_window():
    """A call counts until the window has passed it, and for nobody else."""
    repeats = Repeats()
    assert repeats.within(PAIR, DAY, 0.0) == 0
    for moment in (0.0, 10.0, 20.0):
        repeats.count(PAIR, 3, DAY, moment)
    assert repeats.within(PAIR, DAY, 20.0) == 3
    assert repeats.within(OTHER, DAY, 20.0) == 0
    assert repeats.within(PAIR, DAY, DAY - 0.1) == 3
    assert repeats.within(PAIR, DAY, DAY) == 2
    assert repeats.within(PAIR, DAY, DAY + 20.0) == 0


def test_a_call_that_went_nowhere_is_taken_back():
    """The latest goes; a pair with none left, or never there, is nothing."""
    repeats = Repeats()
    repeats.count(PAIR, 3, DAY, 0.0)
    repeats.count(PAIR, 3, DAY, 1.0)
    repeats.withdraw(PAIR)
    assert repeats.within(PAIR, DAY, 1.0) == 1
    repeats.withdraw(PAIR)
    repeats.withdraw(PAIR)
    assert len(repeats) == 0


def test_a_call_that_is_taken_back_takes_none_of_those_before_it_along():
    """Who called often enough already, and once more for nothing, still has."""
    repeats = Repeats()
    for moment in range(5):
        repeats.count(PAIR, 3, DAY, float(moment))
    repeats.withdraw(PAIR)
    assert repeats.within(PAIR, DAY, 5.0) == 3


def test_the_table_is_bounded():
    """At the bound the pair called longest ago goes, not the one seen first."""
    repeats = Repeats(capacity=2)
    for pair in (PAIR, OTHER, PAIR, ("acme", "14155550152")):
        repeats.count(pair, 3, DAY, 0.0)
    assert len(repeats) == 2
    assert (repeats.within(PAIR, DAY, 0.0), repeats.within(OTHER, DAY, 0.0)) == (2, 0)
    repeats.capacity = 1  # as a reload may say
    repeats.count(OTHER, 3, DAY, 1.0)
    assert len(repeats) == 1


def test_nobody_makes_the_node_forget_whom_others_called():
    """Who calls more numbers than there is room for forgets its own; who needs room takes it from who has most."""
    repeats = Repeats(capacity=10)
    for number in range(3):
        repeats.count(("small", str(number)), 3, DAY, 0.0)
    for number in range(100):
        repeats.count(("big", str(number)), 3, DAY, 1.0)
        assert len(repeats) <= 10
    assert [repeats.within(("small", str(number)), DAY, 2.0) for number in range(3)] == [1, 1, 1]
    assert repeats.within(("big", "99"), DAY, 2.0) == 1
    repeats.count(("new", "1"), 3, DAY, 2.0)
    assert [repeats.within(pair, DAY, 2.0) for pair in (("new", "1"), ("small", "0"), ("big", "93"))] == [1, 1, 0]
    for number in range(20):
        repeats.count(("new", str(number)), 3, DAY, 3.0)
    assert repeats.within(("small", "0"), DAY, 4.0) == 1
    assert len(repeats) == 10


def test_what_is_over_makes_room_by_itself():
    """Pairs that nobody called within the window are gone with the next call."""
    repeats = Repeats()
    for number in range(100):
        repeats.count(("acme", str(number)), 3, DAY, 0.0)
    repeats.count(PAIR, 3, DAY, DAY)
    assert len(repeats) == 1


@given(
    st.lists(st.tuples(st.sampled_from([PAIR, OTHER]), st.floats(0.0, 40.0)), max_size=60),
    st.integers(1, 5),
)
def test_it_says_what_a_plain_list_would_say(steps, kept):
    """Up to one more than are kept, the count is that of all calls in the window."""
    repeats, calls, now = Repeats(), [], 0.0
    for pair, pause in steps:
        now += pause
        plain = sum(1 for called, moment in calls if called == pair and moment > now - 100.0)
        assert repeats.within(pair, 100.0, now) == min(plain, kept + 1)
        repeats.count(pair, kept, 100.0, now)
        calls.append((pair, now))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.booleans()), max_size=80), st.integers(1, 6))
def test_its_size_is_that_of_what_it_holds(steps, capacity):
    """Whatever is counted and withdrawn, and however small the table is."""
    repeats = Repeats(capacity)
    for now, (account, number, withdrawn) in enumerate(steps):
        pair = (account, str(number))
        (repeats.withdraw(pair) if withdrawn else repeats.count(pair, 2, 20.0, float(now)))
        held = [pair for pair in ((name, str(n)) for name in "abc" for n in range(6)) if repeats.within(pair, 1e9, now)]
        assert len(held) == len(repeats) <= capacity
