"""Who was refused at whom, in bounded memory."""

from sipguard.traffic.rotation import RotationWatch

PAIR = ("acme", "12125550123")
WINDOW = 60.0


def test_nothing_is_watched_without_a_refusal() -> None:
    """An empty watch is false, so that asking costs nothing."""
    watch = RotationWatch()
    assert not watch
    assert not watch.watches(PAIR, 0.0)


def test_different_callers_are_counted_after_a_refusal() -> None:
    """The refused one is the first; the same again is none more; no more than asked for are kept."""
    watch = RotationWatch()
    watch.refused(PAIR, 1, 10.0, WINDOW)
    assert watch.watches(PAIR, 11.0)
    assert [watch.tried(PAIR, caller, 3) for caller in (1, 2, 2, 3, 4, 5)] == [1, 2, 2, 3, 3, 3]
    assert not watch.watches(("acme", "12125550124"), 11.0)
    assert not watch.watches(("globex", "12125550123"), 11.0)


def test_the_watch_ends_a_window_after_the_last_refusal() -> None:
    """Another refusal keeps what was counted; after the window the count begins anew."""
    watch = RotationWatch()
    watch.refused(PAIR, 1, 0.0, WINDOW)
    watch.tried(PAIR, 2, 3)
    watch.refused(PAIR, 2, 50.0, WINDOW)
    assert watch.watches(PAIR, 109.9)
    assert watch.tried(PAIR, 3, 3) == 3
    assert not watch.watches(PAIR, 110.0)
    watch.refused(PAIR, 26, 200.0, WINDOW)
    assert watch.tried(PAIR, 26, 3) == 1


def test_memory_is_bounded() -> None:
    """At the bound the pair that was refused longest ago goes; what is over goes anyway."""
    watch = RotationWatch(capacity=3)
    for number in range(5):
        watch.refused(("acme", str(number)), 1, float(number), WINDOW)
    assert [watch.watches(("acme", str(number)), 5.0) for number in range(5)] == [False, False, True, True, True]
    watch.refused(PAIR, 1, 1000.0, WINDOW)
    assert len(watch) == 1


def test_many_refusals_of_one_pair_keep_one_caller() -> None:
    """A flood of refused calls under ever new numbers grows nothing."""
    watch = RotationWatch()
    for number in range(1000):
        watch.refused(PAIR, number, 1.0, WINDOW)
    assert watch.tried(PAIR, -1, 5) == 2


def test_whoever_is_refused_often_makes_the_node_forget_nobody_else() -> None:
    """A flood of refused calls to ever new numbers pushes out its own."""
    watch = RotationWatch(capacity=10)
    watch.refused(PAIR, 1, 0.0, WINDOW)
    for number in range(100):
        watch.refused(("flood", str(number)), 2, 1.0, WINDOW)
    assert watch.watches(PAIR, 2.0)
    assert (len(watch), watch.watches(("flood", "99"), 2.0), watch.watches(("flood", "0"), 2.0)) == (10, True, False)
