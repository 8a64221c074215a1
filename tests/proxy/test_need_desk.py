"""Parked items and the facts they wait for."""

from typing import Any

import pytest

from sipguard.policy.need import Answer, CertificateNeed, Need, TargetAnswer, TargetNeed
from sipguard.proxy.need_desk import GivenAnswer, NeedDesk
from sipguard.transaction.timers import TimerHeap

CERTIFICATE = CertificateNeed("https://x/y")


class Waiter:
    """Resumes by noting what it was told; may drop another item first."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, Need, GivenAnswer, float]] = []

    def resume(self, item: Any, need: Need, answer: GivenAnswer, now: float) -> None:
        """Note it."""
        self.told.append((item, need, answer, now))


class Desk:
    """A desk with its timers and what it asked."""

    def __init__(self) -> None:
        self.timers = TimerHeap()
        self.asked: list[Need] = []
        self.desk = NeedDesk(self.timers, self.asked.append)
        self.waiter = Waiter()

    def park(self, item: str, need: Need = CERTIFICATE, until: float = 2.0) -> Any:
        """Park something."""
        return self.desk.park(need, item, self.waiter, until)


@pytest.mark.clause("VS-33")
def test_equal_needs_are_asked_once() -> None:
    """Two items, one question, one answer for both, in their order."""
    desk = Desk()
    desk.park("a")
    desk.park("b")
    desk.park("c", CertificateNeed("https://other"))
    assert desk.asked == [CERTIFICATE, CertificateNeed("https://other")]
    assert len(desk.desk) == 3
    desk.desk.complete(CERTIFICATE, Answer(True), 1.0)
    assert [(item, answer) for item, _, answer, _ in desk.waiter.told] == [("a", Answer(True)), ("b", Answer(True))]
    assert len(desk.desk) == 1


@pytest.mark.clause("VS-34")
def test_a_wait_ends() -> None:
    """After its bound the answer is "timeout", of the kind the need has; a later answer finds nobody."""
    desk = Desk()
    desk.park("a")
    desk.park("b", TargetNeed("h"), until=3.0)
    desk.timers.tick(2.0)
    assert desk.waiter.told == [("a", CERTIFICATE, Answer(False, "timeout"), 2.0)]
    desk.timers.tick(3.0)
    assert desk.waiter.told[1] == ("b", TargetNeed("h"), TargetAnswer((), "timeout"), 3.0)
    desk.desk.complete(CERTIFICATE, Answer(True), 4.0)
    assert len(desk.waiter.told) == 2
    assert desk.timers.deadline() is None


@pytest.mark.clause("TXN-26")
def test_a_dropped_item_is_not_resumed() -> None:
    """Whoever was dropped hears nothing; when nobody waits any more, the next one asks again."""
    desk = Desk()
    first = desk.park("a")
    desk.park("b")
    desk.desk.drop(first)
    desk.desk.drop(first)
    desk.desk.complete(CERTIFICATE, Answer(True), 1.0)
    assert [item for item, *_ in desk.waiter.told] == ["b"]
    desk.desk.drop(desk.park("c"))
    desk.park("d")
    assert desk.asked == [CERTIFICATE] * 3
    assert len(desk.desk) == 1


@pytest.mark.clause("VS-33")
def test_an_answer_nobody_waits_for() -> None:
    """It falls on the floor."""
    desk = Desk()
    desk.desk.complete(CERTIFICATE, Answer(True), 0.0)
    assert len(desk.desk) == 0
