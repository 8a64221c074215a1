"""The heap of timers."""

import gc
import weakref

from hypothesis import given
from hypothesis import strategies as st

from sipguard.transaction.timers import TimerHeap


class Owner:
    """Writes down what fired."""

    def __init__(self) -> None:
        self.fired: list[tuple[int, float]] = []

    def fire(self, kind: int, now: float) -> None:
        self.fired.append((kind, now))


def test_a_timer_fires_once_at_the_first_tick_at_or_after_its_time() -> None:
    """A timer fires once, with its kind and the time of the tick."""
    timers, owner = TimerHeap(), Owner()
    timers.start(1.0, owner, 7)
    timers.tick(0.5)
    assert owner.fired == []
    timers.tick(1.5)
    timers.tick(2.0)
    assert owner.fired == [(7, 1.5)]
    assert len(timers) == 0


def test_timers_fire_by_due_time_then_by_start() -> None:
    """Timers fire in the order they are due; equal times in the order they were started."""
    timers, owner = TimerHeap(), Owner()
    for kind, when in enumerate((3.0, 1.0, 2.0, 1.0)):
        timers.start(when, owner, kind)
    timers.tick(10.0)
    assert [kind for kind, _ in owner.fired] == [1, 3, 2, 0]


def test_a_cancelled_timer_never_fires() -> None:
    """A cancelled timer never fires, and cancelling it again, or after it fired, does nothing."""
    timers, owner = TimerHeap(), Owner()
    timer, other = timers.start(1.0, owner, 1), timers.start(2.0, owner, 2)
    timer.cancel()
    timer.cancel()
    timers.tick(5.0)
    other.cancel()
    assert owner.fired == [(2, 5.0)]
    assert len(timers) == 0


def test_a_cancelled_timer_keeps_nothing_alive() -> None:
    """A cancelled timer lets go of its owner at once, long before it would have been due."""
    timers, owner = TimerHeap(), Owner()
    watched = weakref.ref(owner)
    timers.start(1e6, owner, 1).cancel()
    del owner
    gc.collect()
    assert watched() is None


def test_the_deadline_skips_cancelled_timers() -> None:
    """The deadline is the due time of the earliest timer that runs, or None."""
    timers, owner = TimerHeap(), Owner()
    assert timers.deadline() is None
    first = timers.start(1.0, owner, 1)
    timers.start(2.0, owner, 2)
    assert timers.deadline() == 1.0
    first.cancel()
    assert timers.deadline() == 2.0


def test_a_timer_started_while_firing_fires_in_the_same_tick_when_due() -> None:
    """What an owner starts while the heap ticks is fired by the same tick when it is due."""

    class Chain(Owner):
        def fire(self, kind: int, now: float) -> None:
            super().fire(kind, now)
            if kind < 3:
                timers.start(kind + 1.0, self, kind + 1)

    timers, owner = TimerHeap(), Chain()
    timers.start(1.0, owner, 1)
    timers.tick(2.5)
    assert [kind for kind, _ in owner.fired] == [1, 2]
    assert timers.deadline() == 3.0


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=60), st.integers(0, 60))
def test_exactly_the_running_timers_that_are_due_fire(plan: list[tuple[int, bool]], now: int) -> None:
    """Whatever is started and cancelled, a tick fires exactly the due running timers, in order."""
    timers, owner = TimerHeap(), Owner()
    started = [(when, kind, timers.start(float(when), owner, kind)) for kind, (when, _) in enumerate(plan)]
    for (_, _, timer), (_, cancel) in zip(started, plan, strict=True):
        if cancel:
            timer.cancel()
    timers.tick(float(now))
    running = [(when, kind) for kind, (when, cancelled) in enumerate(plan) if not cancelled]
    assert [kind for kind, _ in owner.fired] == [kind for when, kind in sorted(running) if when <= now]
    assert len(timers) == sum(when > now for when, _ in running)


def test_many_cancelled_timers_are_swept() -> None:
    """The heap stays right while thousands of timers are started and cancelled, also from within a tick."""

    class Canceller(Owner):
        def fire(self, kind: int, now: float) -> None:
            super().fire(kind, now)
            for timer in doomed:
                timer.cancel()

    timers, owner = TimerHeap(), Canceller()
    doomed = [timers.start(100.0 + number, owner, 0) for number in range(5000)]
    timers.start(1.0, owner, 1)
    timers.start(50.0, owner, 2)
    timers.tick(60.0)
    assert [kind for kind, _ in owner.fired] == [1, 2]
    assert len(timers) == 0
    assert timers.deadline() is None
