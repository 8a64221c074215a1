"""Places among the calls that are up."""

from sipguard.traffic.limit import CallLimit
from sipguard.traffic.usage import Usage

TRUNK, ROUTE, SPARE = ("trunk", "a"), ("egress", "b"), ("egress", "c")


def test_a_place_is_given_back_once() -> None:
    """Two calls, two places; each is given back once however often it is tried, and nothing is left then."""
    usage = Usage()
    first, second = usage.hold([TRUNK, ROUTE]), usage.hold([TRUNK])
    assert (usage.up(TRUNK), usage.up(ROUTE)) == (2, 1)
    first.release()
    first.release()
    assert (usage.up(TRUNK), usage.up(ROUTE)) == (1, 0)
    second.release()
    assert usage._counts == {}


def test_a_call_moves_to_another_route() -> None:
    """Its place on the first is free then; moving to where it is changes nothing."""
    usage = Usage()
    hold = usage.hold([TRUNK, ROUTE])
    hold.move("egress", "c")
    hold.move("egress", "c")
    assert (usage.up(ROUTE), usage.up(SPARE), usage.up(TRUNK)) == (0, 1, 1)
    hold.release()
    assert usage._counts == {}


def test_full_is_when_one_more_would_be_too_many() -> None:
    """And 0 is no limit."""
    usage = Usage()
    usage.hold([TRUNK])
    assert usage.is_full(TRUNK, CallLimit(concurrent=1))
    assert not usage.is_full(TRUNK, CallLimit(concurrent=2))
    assert not usage.is_full(TRUNK, CallLimit())
