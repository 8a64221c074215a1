"""Standings of accounts, and their hysteresis."""

import json

import pytest

from sipguard.traffic.book import TrafficBook
from sipguard.traffic.profile import PROFILES, Profile
from sipguard.traffic.standing import NEUTRAL
from tests.traffic.simulation import play

DAY = 86_400.0


def burst(book, account="dialer", calls=150, start=0.0, duration=0.5):
    """Short calls at fifty per second, each answered at once."""
    for number in range(calls):
        now = start + number * 0.02
        book.attempt(account, now)
        book.answered(account, now)
        book.ended(account, duration, now + duration)
    return start + calls * 0.02 + duration


def test_an_account_never_seen_has_a_neutral_standing():
    """Nothing known is nothing held against it."""
    assert TrafficBook(Profile()).standing("nobody") is NEUTRAL


def test_a_burst_of_150_short_calls_is_tagged():
    """150 short calls in three seconds end tagged, with reasons, before any sweep."""
    book = TrafficBook(Profile())
    burst(book)
    standing = book.standing("dialer")
    assert standing.tagged
    assert standing.reasons[:2] == ("short-calls", "low-duration")
    assert standing.points >= 5


def test_a_burst_whose_calls_all_end_after_the_last_attempt_is_tagged_too():
    """Ended calls are evidence as attempts are: 150 parallel calls of four seconds are tagged when they end."""
    book = TrafficBook(Profile())
    for _ in range(150):
        book.attempt("dialer", 0.0)
        book.answered("dialer", 1.0)
    assert not book.standing("dialer").tagged
    for _ in range(150):
        book.ended("dialer", 4.0, 5.0)
    assert book.standing("dialer").tagged


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("rate", [0.05, 1.0, 20.0])
def test_a_conversational_account_is_never_tagged(seed, rate):
    """Three thousand calls of 180 s on average, 60 % answered, never tag an account, at any rate of calls."""
    book = TrafficBook(Profile())
    changes = play(book, "office", attempts=3000, rate=rate, answered=0.6, mean_duration=180.0, seed=seed)
    assert changes == []
    assert not book.standing("office").tagged


@pytest.mark.parametrize("profile", [PROFILES[name] for name in ("plivo", "telnyx")], ids=lambda item: item.name)
@pytest.mark.parametrize("seed", range(4))
def test_a_typical_dialer_is_tagged_within_a_few_hundred_calls(profile, seed):
    """Calls of 8 s on average, a quarter of them answered, are tagged within five hundred attempts."""
    book = TrafficBook(profile)
    play(book, "dialer", attempts=500, rate=5.0, answered=0.25, mean_duration=8.0, seed=seed)
    assert book.standing("dialer").tagged


def test_a_predictive_dialer_that_hangs_up_on_ringing_calls_is_tagged():
    """Calls of 20 s, half of them abandoned and a third answered, are tagged for both."""
    book = TrafficBook(Profile())
    play(book, "dialer", attempts=600, rate=2.0, answered=0.3, mean_duration=20.0, abandoned=0.5)
    assert book.standing("dialer").tagged
    assert "abandoned-calls" in book.standing("dialer").reasons


def test_a_carrier_outage_alone_does_not_tag():
    """An hour in which the network answers 503 to half of a conversational account's calls is not its fault."""
    book = TrafficBook(Profile())
    play(book, "office", attempts=1000, rate=0.5, answered=0.3, mean_duration=180.0, code=503)
    assert not book.standing("office").tagged


def test_one_bad_evaluation_does_not_tag():
    """Fifty short calls are one evaluation; the tag needs a second one that saw more calls."""
    book = TrafficBook(Profile())
    for _ in range(50):
        book.answered("dialer", 0.0)
        book.ended("dialer", 1.0, 1.0)
    for _ in range(50):
        book.attempt("dialer", 1.0)
    assert book.standing("dialer").points >= 5
    assert not book.standing("dialer").tagged
    assert book.sweep(60.0) == []
    assert book.sweep(120.0) == []
    book.attempt("dialer", 130.0)
    assert [change.account for change in book.sweep(180.0)] == ["dialer"]


def test_a_good_evaluation_between_two_bad_ones_starts_over():
    """Only consecutive evaluations confirm each other."""
    book = TrafficBook(Profile())
    for _ in range(50):
        book.answered("mixed", 0.0)
        book.ended("mixed", 1.0, 1.0)
    for _ in range(50):
        book.attempt("mixed", 1.0)
    for _ in range(600):
        book.answered("mixed", 2.0)
    for _ in range(50):
        book.attempt("mixed", 3.0)
    assert book.standing("mixed").points < 5
    assert not book.standing("mixed").tagged


def test_a_change_is_handed_over_once():
    """The sweep reports a new tag, and does not repeat it."""
    book = TrafficBook(Profile())
    end = burst(book)
    changes = book.sweep(end + 1)
    assert [(change.account, change.standing.tagged) for change in changes] == [("dialer", True)]
    assert book.sweep(end + 61) == []


def test_the_tag_outlives_the_hour_and_goes_after_a_quiet_day():
    """The tag stays while points were low for less than 24 h, and goes when they were low for that long."""
    book = TrafficBook(Profile())
    end = burst(book)
    book.sweep(end)
    quiet = end + 3700.0
    assert book.sweep(quiet) == []
    assert book.sweep(quiet + DAY - 60) == []
    assert book.standing("dialer").tagged
    changes = book.sweep(quiet + DAY)
    assert [(change.account, change.standing.tagged) for change in changes] == [("dialer", False)]


def test_bad_traffic_within_the_day_starts_the_wait_afresh():
    """A second burst half a day later moves the end of the tag by half a day."""
    book = TrafficBook(Profile())
    book.sweep(burst(book) + 3700.0)
    end = burst(book, start=DAY / 2)
    book.sweep(end)
    book.sweep(end + 3700.0)
    book.sweep(3700.0 + DAY + 100)
    assert book.standing("dialer").tagged
    book.sweep(end + 3700.0 + DAY)
    assert not book.standing("dialer").tagged


def test_the_reasons_of_a_tag_stay_while_it_lasts():
    """After the window has emptied, the standing still says why the account was tagged."""
    book = TrafficBook(Profile())
    book.sweep(burst(book) + 7200.0)
    assert book.standing("dialer").points == 0.0
    assert "short-calls" in book.standing("dialer").reasons


def test_accounts_do_not_touch_each_other():
    """A dialer's calls leave a neighbour's standing alone."""
    book = TrafficBook(Profile())
    burst(book)
    book.attempt("office", 1.0)
    assert not book.standing("office").tagged


def test_tags_survive_a_restart():
    """Exported tags are JSON, and restored ones hold with their reasons."""
    book = TrafficBook(Profile())
    burst(book)
    exported = json.loads(json.dumps(book.export()))
    later = TrafficBook(Profile())
    later.restore(exported)
    assert later.standing("dialer") == book.standing("dialer")
    assert later.sweep(60.0) == []
    assert later.standing("dialer").tagged


def test_a_restored_tag_waits_its_full_day():
    """The quiet day that clears a restored tag starts at the first evaluation after the restart."""
    book = TrafficBook(Profile())
    book.restore([{"account": "dialer", "points": 5.0, "reasons": ["short-calls"], "features": {}}])
    book.sweep(500.0)
    book.sweep(500.0 + DAY - 1)
    assert book.standing("dialer").tagged
    book.sweep(500.0 + DAY)
    assert not book.standing("dialer").tagged


def test_memory_is_bounded_and_a_tag_is_never_washed_away():
    """Beyond its capacity the book forgets the account it has not seen for longest, but never a tagged one."""
    book = TrafficBook(Profile(), capacity=10)
    burst(book)
    for _ in range(60):
        book.attempt("first", 5.0)
    book.sweep(6.0)
    assert book.standing("first").features["attempts"] == 60
    for number in range(100):
        book.attempt(f"account-{number}", 10.0)
    assert book.standing("first") is NEUTRAL
    assert book.standing("dialer").tagged


def test_a_reload_changes_the_thresholds_and_keeps_the_tags():
    """Adopting another profile judges later traffic by it; counts and tags stay."""
    book = TrafficBook(Profile())
    burst(book)
    book.adopt(PROFILES["dialer"])
    assert book.profile.name == "dialer"
    assert book.standing("dialer").tagged
