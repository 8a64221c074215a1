"""Dial plans from the metadata of phonenumbers."""

import pytest

from sipguard.config.dial_plan import dial_plan
from sipguard.stir.telephone_number import DialPlan, canonicalise


def test_north_america() -> None:
    """The dial plan of the United States is the default of the pure room."""
    assert dial_plan("us") == DialPlan()


@pytest.mark.parametrize(
    ("country", "dialled", "canonical"),
    [
        ("GB", "02071838750", "442071838750"),
        ("GB", "0014155550100", "14155550100"),
        ("FR", "0145678901", "33145678901"),
        ("AU", "0291234567", "61291234567"),
        ("AU", "001114155550100", "14155550100"),
    ],
)
def test_other_countries(country: str, dialled: str, canonical: str) -> None:
    """A number dialled as the country does becomes the canonical one."""
    assert canonicalise(dialled, dial_plan(country)) == canonical


def test_pattern_prefix() -> None:
    """Where each carrier has its own international prefix, 00 stands in (Brazil)."""
    assert dial_plan("BR").international_prefix == "00"


@pytest.mark.parametrize("country", ["", "XX", "USA", "1"])
def test_no_country(country: str) -> None:
    """Something that is no country is refused."""
    with pytest.raises(ValueError, match="country code"):
        dial_plan(country)
