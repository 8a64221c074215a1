"""``[policy.callers]`` and ``[limits.calls.hugging]``: defaults are those of the settings, mistakes are named."""

import pytest
from pydantic import ValidationError

from sipguard.config.call_limits import CallLimitsSection, HuggingSection
from sipguard.config.callers import CallersSection, RotationSection
from sipguard.policy.settings import CallLimits, RotationSettings
from sipguard.traffic.hugging import HuggingSettings
from sipguard.traffic.rotation import RotationWatch


def test_defaults_are_those_of_the_settings() -> None:
    """The configuration and the stages agree."""
    assert CallersSection().rotation.settings() == RotationSettings()
    assert CallersSection().rotation.remembered == RotationWatch().capacity
    assert CallLimitsSection().limits().hugging == CallLimits().hugging == HuggingSettings()


def test_what_is_given_arrives() -> None:
    """Each figure."""
    assert RotationSection(window=10, callers=5).settings() == RotationSettings(10.0, 5)
    given = CallLimitsSection(hugging=HuggingSection(share=0.8, window=30, windows=4)).limits().hugging
    assert given == HuggingSettings(0.8, 30.0, 4)


@pytest.mark.parametrize("values", [{"window": -1}, {"callers": 1}, {"remembered": 0}])
def test_mistakes_of_rotation(values: dict[str, float]) -> None:
    """One caller is no rotation."""
    with pytest.raises(ValidationError):
        RotationSection.model_validate(values)


@pytest.mark.parametrize("values", [{"share": 0.1}, {"share": 1.1}, {"window": 1}, {"windows": -1}])
def test_mistakes_of_hugging(values: dict[str, float]) -> None:
    """A tenth of a limit is not near it."""
    with pytest.raises(ValidationError):
        HuggingSection.model_validate(values)
