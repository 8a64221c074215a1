"""``[robodial]``: a named profile of thresholds and weights, any of which the operator may override.

The keys are those of ``sipguard.traffic.profile.Profile``, which says what each of them means.
"""

import dataclasses
from typing import Annotated

from pydantic import Field, field_validator

from sipguard.config.section import Section
from sipguard.config.suggestion import suggestion
from sipguard.traffic.profile import PROFILES, Profile

Share = Annotated[float, Field(gt=0, lt=1)] | None
Weight = Annotated[float, Field(ge=0, le=100)] | None
Seconds = Annotated[float, Field(gt=0, le=31 * 86_400)] | None
Count = Annotated[int, Field(ge=1, le=1_000_000)] | None


class RobodialSection(Section):
    """Which thresholds tell a dialer from a conversation; a key left out keeps the profile's figure."""

    profile: str = "plivo"
    short_seconds: Seconds = None
    short_share: Share = None
    average_duration: Seconds = None
    answer_ratio: Share = None
    abandoned_share: Share = None
    invalid_share: Share = None
    hourly_attempts: Count = None
    short_weight: Weight = None
    duration_weight: Weight = None
    answer_weight: Weight = None
    abandoned_weight: Weight = None
    invalid_weight: Weight = None
    volume_weight: Weight = None
    minimum_attempts: Count = None
    evaluate_every: Count = None
    confidence: Annotated[float, Field(gt=0, le=10)] | None = None
    tag_points: Weight = None
    confirmations: Count = None
    untag_points: Weight = None
    untag_after: Seconds = None

    @field_validator("profile")
    @classmethod
    def _known(cls, profile: str) -> str:
        if profile not in PROFILES:
            raise ValueError(f"should be one of {', '.join(PROFILES)}{suggestion(profile, PROFILES)}")
        return profile

    def thresholds(self) -> Profile:
        """The profile with the operator's figures."""
        return dataclasses.replace(PROFILES[self.profile], **self.model_dump(exclude_none=True, exclude={"profile"}))
