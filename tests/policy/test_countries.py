"""The table of countries, held against ``phonenumbers``."""

import phonenumbers
import pytest

from sipguard.policy.countries import country_of, home
from sipguard.policy.premium_numbers import PremiumNumbers

SHARED = {"GG": "GB", "IM": "GB", "JE": "GB", "SJ": "NO", "VA": "IT", "AX": "FI", "CC": "AU", "CX": "AU", "EH": "MA",
          "YT": "RE", "BL": "GP", "MF": "GP", "BQ": "CW", "TA": "SH"}  # fmt: skip


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_an_example_number_of_every_country(region):
    """A number of each country is of that country, or of the larger neighbour whose code it shares."""
    number = phonenumbers.example_number(region)
    tn = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).lstrip("+")
    assert country_of(tn) == SHARED.get(region, region)


def test_area_codes_of_north_america():
    """Every area code is of the country that phonenumbers says, the United States where it says nothing."""
    for area in range(200, 1000):
        known = phonenumbers.region_code_for_number(
            phonenumbers.PhoneNumber(country_code=1, national_number=int(f"{area}2342234"))
        )
        if known is not None:
            assert country_of(f"1{area}2342234") == known


@pytest.mark.parametrize("number", ["", "1", "14", "0", "999", "210123456", "88216123456"])
def test_what_has_no_country(number):
    """Too few digits, spare codes and networks without a country."""
    assert country_of(number) is None


def test_home():
    """North America is one home; every other country is its own."""
    assert "CA" in home("US")
    assert home("US") == home("CA")
    assert home("FR") == ("FR",)


@pytest.mark.parametrize("region", ["US", "GB", "FR", "DE", "ES", "AU", "NL", "SE", "CH", "PL"])
def test_a_premium_number_of_a_country_is_known(region):
    """The premium number that phonenumbers has for an example begins with a prefix of the table, the mobile one not."""
    known = PremiumNumbers()
    assert known.prefix_of(_example(region, phonenumbers.PhoneNumberType.PREMIUM_RATE)) is not None
    assert known.prefix_of(_example(region, phonenumbers.PhoneNumberType.MOBILE)) is None


def _example(region, kind):
    number = phonenumbers.example_number_for_type(region, kind)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).lstrip("+")
