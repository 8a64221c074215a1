"""What is counted for strangers, in bounded memory."""

from sipguard.policy.settings import ScannerSettings
from sipguard.proxy.log_budget import LogBudget
from sipguard.proxy.suspects import Suspects

SETTINGS = ScannerSettings(users=3, watched=100, window=10.0)


def test_the_table_is_bounded() -> None:
    """The source not heard of for longest is forgotten first."""
    suspects = Suspects()
    suspects.asked_for("busy", "a", SETTINGS, 0.0)
    suspects.asked_for("idle", "a", SETTINGS, 0.0)
    for number in range(99):
        suspects.asked_for(f"other-{number}", "a", SETTINGS, 1.0)
        if number == 50:
            suspects.asked_for("busy", "b", SETTINGS, 1.0)
    assert len(suspects) == 100
    assert suspects.asked_for("busy", "c", SETTINGS, 2.0)
    suspects.asked_for("idle", "b", SETTINGS, 2.0)
    assert not suspects.asked_for("idle", "c", SETTINGS, 2.0)


def test_a_window_ends() -> None:
    """What was counted in one window is nothing in the next."""
    suspects = Suspects()
    for user in "ab":
        suspects.asked_for("x", user, SETTINGS, 0.0)
    assert not suspects.asked_for("x", "c", SETTINGS, 10.0)


def test_a_log_budget_is_a_minutes() -> None:
    """So many lines, then none until the minute is over; what was left out is told once."""
    budget = LogBudget(2)
    assert [budget.admits(100.0 + second) for second in range(4)] == [True, True, False, False]
    assert budget.admits(160.0)
    assert (budget.omitted(), budget.omitted()) == (2, 0)
