"""``[scanners]``: defaults, and mistakes that are named."""

import dataclasses

import pytest
from pydantic import ValidationError

from sipguard.config.scanners import ScannersSection
from sipguard.policy.settings import ScannerSettings


def test_defaults_are_those_of_the_settings() -> None:
    """The configuration and the proxy core agree on every key and every default."""
    assert ScannersSection().settings() == ScannerSettings()
    assert set(ScannersSection.model_fields) == {field.name for field in dataclasses.fields(ScannerSettings)}


def test_what_is_given_arrives() -> None:
    """Honeypots are compared in lower case."""
    settings = ScannersSection(honeypots=("Admin", "1000"), bans=(1, 1, 2), allow=("203.0.113.0/24",)).settings()
    assert settings.honeypots == {"admin", "1000"}
    assert settings.bans == (1.0, 1.0, 2.0)
    assert settings.allow == ("203.0.113.0/24",)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"bans": ()}, "at least one"),
        ({"bans": (300, 60)}, "no shorter than the one before"),
        ({"honeypots": ("911",)}, "911 is an emergency number somewhere"),
        ({"honeypots": ("100",)}, "100 is an emergency number somewhere"),
        ({"allow": ("nowhere",)}, "nowhere"),
        ({"users": 0}, "greater than or equal to 1"),
        ({"user_agents": ("ua",)}, "at least 3"),
    ],
)
def test_mistakes_are_named(values: dict[str, object], said: str) -> None:
    """A ban that shrinks, an emergency number as a trap, an address that is none."""
    with pytest.raises(ValidationError, match=said):
        ScannersSection.model_validate(values)
