"""The windows in which emergency centres call back."""

import pytest

from sipguard.policy.callbacks import CallbackWindows

CALLER, OTHER, THIRD = "14155550100", "14155550101", "14155550102"


@pytest.mark.clause("EMG-10")
def test_a_window_opens_and_closes():
    """A number that called help may be called back for so long, and no other number."""
    windows = CallbackWindows()
    assert not windows
    windows.open(CALLER, 1000.0, 1800.0)
    assert windows.is_open(CALLER, 1000.0)
    assert windows.is_open(CALLER, 2799.9)
    assert not windows.is_open(CALLER, 2800.0)
    assert not windows.is_open(OTHER, 1000.0)


def test_another_call_for_help_opens_it_anew():
    """The window counts from the last call, and the oldest of the others is still the first to go."""
    windows = CallbackWindows(capacity=2)
    windows.open(CALLER, 0.0, 100.0)
    windows.open(OTHER, 10.0, 100.0)
    windows.open(CALLER, 50.0, 100.0)
    windows.open(THIRD, 60.0, 100.0)
    assert windows.is_open(CALLER, 149.0)
    assert not windows.is_open(OTHER, 61.0)


def test_the_table_is_bounded():
    """However many call for help, no more are remembered; what has closed makes room first."""
    windows = CallbackWindows(capacity=100)
    for number in range(1000):
        windows.open(f"1415555{number:04}", float(number), 1800.0)
    assert len(windows) == 100
    windows.open(CALLER, 10_000.0, 1800.0)
    assert len(windows) == 1


def test_no_window_without_a_length():
    """A configured length of nothing opens none."""
    windows = CallbackWindows()
    windows.open(CALLER, 0.0, 0.0)
    assert not windows
