"""The timer values."""

import pytest

from sipguard.transaction.settings import TimerSettings


@pytest.mark.clause("RFC 3261 17.1.1.1", "RFC 3261 A")
def test_the_defaults_are_the_rfcs() -> None:
    """T1 500 ms, T2 4 s, T4 5 s; 64*T1 is 32 s; Timer C is more than three minutes."""
    settings = TimerSettings()
    assert (settings.t1, settings.t2, settings.t4) == (0.5, 4.0, 5.0)
    assert (settings.timeout, settings.timer_d) == (32.0, 32.0)
    assert settings.timer_c > 180


@pytest.mark.clause("TXN-20", "RFC 4320 4.1")
@pytest.mark.parametrize(("t1", "t2", "due"), [(0.5, 4.0, 3.5), (0.25, 4.0, 3.75), (4.0, 4.0, 0.0), (0.5, 1.0, 0.5)])
def test_a_100_to_a_non_invite_request_is_due_when_timer_e_reaches_t2(t1: float, t2: float, due: float) -> None:
    """The sum of Timer E's doubling intervals below T2."""
    assert TimerSettings(t1=t1, t2=t2).non_invite_trying == due


def test_timer_d_grows_with_t1() -> None:
    """With a larger T1 Timer D is 64*T1."""
    assert TimerSettings(t1=1.0).timer_d == 64.0
