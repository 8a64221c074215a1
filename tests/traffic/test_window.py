"""One hour of calls in twelve rings."""

import random

from sipguard.traffic.window import (
    ABANDONED,
    ANSWERED,
    ATTEMPTS,
    ENDED,
    INVALID,
    SHORT,
    TALK,
    UNSUCCESSFUL,
    WINDOW_SECONDS,
    Window,
)

START = 12_345.0


def test_each_event_is_counted_as_policy_defines_it():
    """Attempt, answered, short (at most 6.0 s), abandoned, and invalid (404, 410, 484, 604) have their own counters."""
    window = Window(START)
    for _ in range(9):
        window.attempt(START)
    window.answered(START)
    window.ended(6.0, 6.0, START + 6.0)
    window.answered(START)
    window.ended(6.1, 6.0, START + 6.1)
    window.abandoned(START)
    for code in (404, 410, 484, 604, 486, 503):
        window.failed(code, START)
    assert window.totals[ATTEMPTS] == 9
    assert window.totals[ANSWERED] == 2
    assert window.totals[ENDED] == 2
    assert window.totals[SHORT] == 1
    assert window.totals[TALK] == 12_100
    assert window.totals[ABANDONED] == 1
    assert window.totals[INVALID] == 4
    assert window.totals[UNSUCCESSFUL] == 7


def test_a_challenge_takes_the_attempt_back():
    """An attempt answered 401 or 407 is an authentication retry in the making, not a call."""
    window = Window(START)
    for code in (401, 407):
        window.attempt(START)
        window.failed(code, START)
    assert window.totals == [0] * 8


def test_the_hour_slides_in_steps_of_five_minutes():
    """An event leaves the totals after an hour, and not before fifty-five minutes."""
    window = Window(START)
    window.attempt(START)
    window.advance(START + 55 * 60 - 300)
    assert window.totals[ATTEMPTS] == 1
    window.advance(START + WINDOW_SECONDS)
    assert window.totals[ATTEMPTS] == 0


def test_a_long_silence_empties_the_window():
    """After a day without events nothing is left."""
    window = Window(START)
    window.attempt(START)
    window.advance(START + 86_400)
    assert window.totals == [0] * 8


def test_the_totals_are_always_the_sum_of_what_is_in_the_window():
    """Ten thousand random events over three hours leave exactly what a plain list of the last hour would count."""
    source = random.Random(7)
    window, times, now = Window(0.0), [], 0.0
    for _ in range(10_000):
        now += source.expovariate(1.0)
        window.attempt(now)
        times.append(now)
    newest = int(now) // 300
    assert window.totals[ATTEMPTS] == sum(1 for moment in times if newest - int(moment) // 300 < 12)


def test_calls_that_are_up_count_their_running_time():
    """The talk time of a window includes what running calls have talked so far, and forgets nothing when they end."""
    window = Window(START)
    window.answered(START)
    window.answered(START + 10)
    assert window.talk_seconds(START + 30) == 50.0
    window.ended(40.0, 6.0, START + 40)
    assert window.talk_seconds(START + 40) == 70.0


def test_a_call_whose_end_is_never_seen_counts_an_hour_at_most():
    """Calls left open on purpose cannot push the average duration up without limit."""
    window = Window(START)
    window.answered(START)
    assert window.talk_seconds(START + 20 * WINDOW_SECONDS) == WINDOW_SECONDS


def test_an_end_without_an_answer_in_this_window_is_harmless():
    """The end of a call that was answered before a restart counts as a call and leaves no running time."""
    window = Window(START)
    window.ended(100.0, 6.0, START)
    assert window.totals[ENDED] == 1
    assert window.talk_seconds(START + 50) == 100.0
