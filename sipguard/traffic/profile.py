"""Profiles: the thresholds behind the robo-dial score, and what crossing each of them weighs.

The named profiles carry figures that voice providers publish (fair use, surcharge and suspension limits, as of 2026);
they are starting points to be adjusted, not truths. A threshold only counts once a one-sided confidence bound has
crossed it, so that few calls convict nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Profile:
    """Thresholds and weights of one robo-dial judgement. Shares are 0..1, durations seconds, weights points.

    ``short_seconds`` is the longest duration that still counts as short. ``tag_points`` or more in ``confirmations``
    consecutive evaluations tag an account; ``untag_after`` seconds at ``untag_points`` or less untag it.
    """

    name: str = "plivo"
    short_seconds: float = 6.0
    short_share: float = 0.10
    average_duration: float = 35.0
    answer_ratio: float = 0.40
    abandoned_share: float = 0.20
    invalid_share: float = 0.10
    hourly_attempts: int = 120
    short_weight: float = 3.0
    duration_weight: float = 2.0
    answer_weight: float = 2.0
    abandoned_weight: float = 2.0
    invalid_weight: float = 2.0
    volume_weight: float = 1.0
    minimum_attempts: int = 50
    evaluate_every: int = 50
    confidence: float = 2.33  # z of the one-sided bounds: 99 %
    tag_points: float = 5.0
    confirmations: int = 2
    untag_points: float = 2.0
    untag_after: float = 24 * 3600.0


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        profile.name: profile
        for profile in (
            Profile(),
            Profile(name="telnyx", short_share=0.15),
            Profile(name="twilio", short_seconds=12.0, average_duration=30.0, answer_ratio=0.70),
            Profile(name="conversational", average_duration=60.0, answer_ratio=0.50),
            Profile(
                name="dialer",
                short_share=0.40,
                average_duration=15.0,
                answer_ratio=0.20,
                abandoned_share=0.30,
                invalid_share=0.20,
                hourly_attempts=3600,
            ),
        )
    }
)
