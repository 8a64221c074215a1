"""``[policy.emergency]``: what is refused."""

import pytest
from pydantic import ValidationError

from sipguard.config.policy import EmergencySection
from sipguard.policy.unprovisioned import Unprovisioned


def test_what_may_be_written() -> None:
    """Each choice about unprovisioned calls, by country, and a URL for locations."""
    section = EmergencySection.model_validate(
        {
            "unprovisioned": "route_to_ecrc",
            "unprovisioned_by_country": {"ca": "announce"},
            "location_url": "https://location.example.com/held/{number}",
        }
    )
    assert section.unprovisioned is Unprovisioned.ROUTE_TO_ECRC
    assert section.unprovisioned_by_country == {"CA": Unprovisioned.ANNOUNCE}


@pytest.mark.parametrize(
    "keys",
    [
        {"unprovisioned": "hang_up"},
        {"unprovisioned_by_country": {"XX": "reject"}},
        {"unprovisioned_by_country": {"US": "hang_up"}},
        {"location_url": "https://location.example.com/held"},
        {"location_url": "http://location.example.com/{number}"},
        {"location_url": "https://location.example.com/{number}>, <x"},
        {"location_when": "never"},
        {"callback_window": -1},
        {"callback_numbers": 0},
        {"notify": {"url": "http://x.example/"}},
    ],
)
def test_what_may_not(keys: dict[str, object]) -> None:
    """A word, country, URL or bound that is none is an error under its key."""
    with pytest.raises(ValidationError):
        EmergencySection.model_validate(keys)
