"""The garbage collector is let loose on everything only when it is quiet."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from sipguard.runtime.collector import Collector


@pytest.fixture
def restored() -> Iterator[None]:
    """The collector's settings as they were."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


class Cycle:
    """An object that only the collector can free."""

    def __init__(self) -> None:
        self.itself = self


def test_only_the_young_are_collected_by_themselves(restored: None) -> None:
    """The older generations are never reached by counting."""
    Collector(lambda: 0).start()
    young, middle, oldest = gc.get_threshold()
    assert 0 < young < 50_000
    assert middle * young > 10**12
    assert oldest > 10**6


@pytest.mark.parametrize(("open_transactions", "collected"), [(5, True), (5000, False)])
def test_everything_is_collected_when_it_is_quiet(open_transactions: int, collected: bool) -> None:
    """With few open transactions what is left of accidents goes; with many it stays for a better moment."""
    cycle = Cycle()
    left = weakref.ref(cycle)
    gc.disable()
    try:
        del cycle
        assert Collector(lambda: open_transactions).collect() is collected
        assert (left() is None) is collected
    finally:
        gc.enable()
