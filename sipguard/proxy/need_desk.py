"""Parked requests: who waits for which fact. Equal needs are asked once; every wait is bounded; an answer that comes
after the last one gave up falls on the floor.
"""

from collections.abc import Callable
from typing import Any, Protocol

from sipguard.policy.need import Answer, Need, TargetAnswer, TargetNeed
from sipguard.transaction.timers import Timer, TimerHeap

GivenAnswer = Answer | TargetAnswer


class Resumer(Protocol):
    """Whoever parked an item and goes on with it when the answer is there."""

    def resume(self, item: Any, need: Need, answer: GivenAnswer, now: float) -> None:
        """The need of a parked item is answered."""


class Parked:
    """One waiting item."""

    __slots__ = ("_desk", "item", "need", "resumer", "timer")

    def __init__(self, desk: "NeedDesk", need: Need, item: Any, resumer: Resumer) -> None:
        self._desk = desk
        self.need = need
        self.item = item
        self.resumer = resumer
        self.timer: Timer | None = None

    def fire(self, _kind: int, now: float) -> None:
        """The wait is over: "could not find out" is the answer."""
        self._desk.drop(self)
        answer = TargetAnswer((), "timeout") if isinstance(self.need, TargetNeed) else Answer(False, "timeout")
        self.resumer.resume(self.item, self.need, answer, now)


class NeedDesk:
    """All parked items by need."""

    def __init__(self, timers: TimerHeap, ask: Callable[[Need], None]) -> None:
        self._timers = timers
        self._ask = ask
        self._waiting: dict[Need, list[Parked]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def park(self, need: Need, item: Any, resumer: Resumer, until: float) -> Parked:
        """Wait for a need, at most until ``until`` (monotonic seconds); it is asked for if nobody asked yet."""
        parked = Parked(self, need, item, resumer)
        parked.timer = self._timers.start(until, parked, 0)
        waiting = self._waiting.get(need)
        if waiting is None:
            self._waiting[need] = [parked]
            self._ask(need)
        else:
            waiting.append(parked)
        return parked

    def drop(self, parked: Parked) -> None:
        """Stop waiting (the call was cancelled, or its time is over)."""
        if parked.timer is not None:
            parked.timer.cancel()
        waiting = self._waiting.get(parked.need)
        if waiting is not None and parked in waiting:
            waiting.remove(parked)
            if not waiting:
                del self._waiting[parked.need]

    def complete(self, need: Need, answer: GivenAnswer, now: float) -> None:
        """Resume everything that waits for ``need``."""
        for parked in self._waiting.pop(need, ()):
            if parked.timer is not None:
                parked.timer.cancel()
            parked.resumer.resume(parked.item, need, answer, now)
