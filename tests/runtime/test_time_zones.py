"""Where a number may be."""

import zoneinfo
from datetime import datetime

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers.tzdata import TIMEZONE_DATA

from sipguard.runtime.time_zones import zones_of
from sipguard.stir.telephone_number import TN


def names(number):
    """The zones by name."""
    return [str(zone) for zone in zones_of(TN(number))]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("12125550123", ["America/New_York"]),
        ("14155550100", ["America/Los_Angeles"]),
        ("16025550100", ["America/Phoenix"]),
        ("18504551234", ["America/Chicago"]),  # the part of Florida that is an hour behind
        ("19075550100", ["America/Adak", "America/Anchorage"]),
        ("18762100000", ["America/Jamaica"]),  # a mobile number: within +1 the area code tells
        ("442079460000", ["Europe/London"]),
        ("33612345678", ["Europe/Paris"]),
        ("5511912345678", ["America/Sao_Paulo"]),
    ],
)
def test_numbers_that_tell_their_place(number, expected):
    """Fixed lines, mobiles with an area code, mobiles of countries with one zone; places with two zones have both."""
    assert names(number) == expected


@pytest.mark.clause("policy: destinations")
@pytest.mark.parametrize(
    ("number", "some", "least"),
    [
        ("79161234567", {"Europe/Moscow", "Asia/Kamchatka"}, 10),
        ("61412345678", {"Australia/Perth", "Australia/Sydney"}, 5),
    ],
)
def test_mobiles_of_wide_countries_may_be_anywhere_in_them(number, some, least):
    """A mobile number that tells its country only has all its zones."""
    assert some <= set(names(number))
    assert len(names(number)) >= least


@pytest.mark.parametrize("number", ["18005550100", "448001234567", "19005550100", "881612345678", "999123456789", "0"])
def test_nobodys_home(number):
    """Toll-free and premium numbers, satellites and what is no number have no zone."""
    assert names(number) == []


def test_a_number_that_is_not_allocated_is_judged_by_how_it_begins():
    """An exchange that does not exist still has the area code's zone."""
    assert names("14151550100") == ["America/Los_Angeles"]


def test_every_zone_there_is_can_be_read():
    """The zones that phonenumbers names are those that the system, or the package tzdata, knows."""
    known = zoneinfo.available_timezones()
    assert {name for zones in TIMEZONE_DATA.values() for name in zones} <= known


def test_every_country_has_a_zone():
    """The example number of a fixed line in every country tells where it is."""
    for region in phonenumbers.SUPPORTED_REGIONS:
        example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.FIXED_LINE)
        if example is not None:
            assert names(f"{example.country_code}{phonenumbers.national_significant_number(example)}"), region


@given(st.from_regex(r"[0-9]{1,18}", fullmatch=True))
def test_any_digits_have_zones_or_none(digits):
    """Whatever is dialled, the answer is a tuple of zones that can tell the time."""
    assert all(datetime(2026, 1, 1, tzinfo=zone).utcoffset() is not None for zone in zones_of(TN(digits)))
