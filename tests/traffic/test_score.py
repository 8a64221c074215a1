"""From a window to points and reasons."""

import pytest

from sipguard.traffic.profile import Profile
from sipguard.traffic.score import score
from sipguard.traffic.window import Window

PROFILE = Profile()


def window(attempts=0, short=0, long=0, failed=0, abandoned=0, invalid=0, long_seconds=180.0):
    """A window with so many attempts and outcomes, all at time zero."""
    result = Window(0.0)
    for _ in range(attempts):
        result.attempt(0.0)
    for count, duration in ((short, 3.0), (long, long_seconds)):
        for _ in range(count):
            result.answered(0.0)
            result.ended(duration, PROFILE.short_seconds, duration)
    for _ in range(failed):
        result.failed(486, 0.0)
    for _ in range(abandoned):
        result.abandoned(0.0)
    for _ in range(invalid):
        result.failed(404, 0.0)
    return result


def test_fewer_than_fifty_attempts_earn_no_points():
    """A sample below the minimum never earns points, however bad it looks."""
    assert score(window(49, short=49), PROFILE, 10.0).points == 0.0


def test_short_calls_and_a_low_duration_reach_the_tag():
    """A burst of short calls crosses two thresholds and earns five points."""
    result = score(window(50, short=50), PROFILE, 10.0)
    assert result.points == 5.0
    assert result.reasons == ("short-calls", "low-duration")


@pytest.mark.parametrize(
    ("outcomes", "reason"),
    [
        ({"attempts": 100, "short": 30, "long": 70}, "short-calls"),
        ({"attempts": 100, "long": 100, "long_seconds": 20.0}, "low-duration"),
        ({"attempts": 100, "long": 20, "failed": 80}, "low-answer-ratio"),
        ({"attempts": 100, "long": 60, "abandoned": 40}, "abandoned-calls"),
        ({"attempts": 100, "long": 70, "invalid": 30}, "invalid-destinations"),
        ({"attempts": 121, "long": 121}, "volume"),
    ],
)
def test_each_feature_has_its_own_reason(outcomes, reason):
    """A window that is bad in one respect gets that reason and no other."""
    assert score(window(**outcomes), PROFILE, 200.0).reasons == (reason,)


def test_a_share_just_above_its_threshold_in_a_small_sample_is_not_held_against_it():
    """Seven short calls of fifty are 14 %, and could still come from a true share below 10 %."""
    assert score(window(50, short=7, long=43), PROFILE, 200.0).points == 0.0


def test_calls_still_up_are_not_held_against_an_account():
    """A minute after a busy account starts only its short calls have ended; the running ones speak for it."""
    busy = window(100, short=5)
    for _ in range(95):
        busy.answered(3.0)
    assert score(busy, PROFILE, 60.0).points == 0.0


def test_calls_still_ringing_are_not_held_against_an_account():
    """An attempt without an outcome may yet be answered."""
    assert score(window(100, failed=20), PROFILE, 5.0).points == 0.0


def test_the_features_are_the_measured_figures():
    """The feature vector holds counts, shares and seconds as measured, not their bounds."""
    features = score(window(100, short=20, long=40, failed=30, abandoned=5, invalid=5), PROFILE, 200.0).features
    assert features["attempts"] == 100
    assert features["short_share"] == pytest.approx(1 / 3, abs=1e-3)
    assert features["average_duration"] == pytest.approx((20 * 3 + 40 * 180) / 60, abs=0.1)
    assert features["answer_ratio"] == 0.6
    assert features["abandoned_share"] == 0.05
    assert features["invalid_share"] == 0.05
