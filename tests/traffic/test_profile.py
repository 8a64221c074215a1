"""The named threshold profiles."""

import pytest

from sipguard.traffic.profile import PROFILES, Profile


def test_the_default_profile_has_the_published_definitions():
    """Short is at most 6.0 s; judgement takes 50 attempts, z = 2.33, 5 points twice; 2 points for 24 h clear it."""
    profile = Profile()
    assert profile.short_seconds == 6.0
    assert (profile.minimum_attempts, profile.evaluate_every) == (50, 50)
    assert profile.confidence == 2.33
    assert (profile.tag_points, profile.confirmations) == (5.0, 2)
    assert (profile.untag_points, profile.untag_after) == (2.0, 86_400.0)


@pytest.mark.parametrize("name", ["plivo", "telnyx", "twilio", "conversational", "dialer"])
def test_every_profile_is_found_by_its_name(name):
    """A profile is listed under the name it carries."""
    assert PROFILES[name].name == name


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_no_single_feature_tags(profile):
    """One crossed threshold alone never reaches the points that tag."""
    weights = (
        profile.short_weight,
        profile.duration_weight,
        profile.answer_weight,
        profile.abandoned_weight,
        profile.invalid_weight,
        profile.volume_weight,
    )
    assert max(weights) < profile.tag_points
