"""What people type becomes what the registry keeps."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipguard.config.dial_plan import dial_plan
from sipguard.registry.values import (
    account_name,
    canonical_number,
    canonical_pattern,
    choice,
    expiry,
    past,
    shown_number,
)


@pytest.mark.clause("RFC 8224 8.3")
@pytest.mark.parametrize(
    ("text", "country", "canonical"),
    [
        ("+1 (415) 555-0100", "US", "14155550100"),
        ("415-555-0100", "US", "14155550100"),
        ("14155550100", "US", "14155550100"),
        ("020 7183 8750", "GB", "442071838750"),
        ("+39 06 6982", "US", "39066982"),
        ("tel:+14155550100", "US", "14155550100"),
        ("1-800-GO-FEDEX", "US", "18004633339"),
    ],
)
def test_numbers(text: str, country: str, canonical: str) -> None:
    """A number in any usual spelling becomes its canonical form; an Italian leading zero stays."""
    assert canonical_number(text, country) == canonical


@pytest.mark.parametrize(
    "text", ["", "12", "acme", "+1415555010", "442071838750", "4155550100 ext. 7", "911", "5550123", "+1415555XXXX"]
)
def test_no_numbers(text: str) -> None:
    """What is no whole telephone number of the country is refused."""
    with pytest.raises(ValueError, match=r"\w"):
        canonical_number(text, "US")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("999XXXXXXX", "1999XXXXXXX"),
        ("999xxxxxxx", "1999XXXXXXX"),
        ("(800) 829-1040", "18008291040"),
        ("+442071838750", "442071838750"),
        ("1800XXXXXXX", "1800XXXXXXX"),
        ("911", "911"),
    ],
)
def test_patterns(text: str, canonical: str) -> None:
    """A list has numbers and blocks; national ones get the country code, unallocated ranges are welcome."""
    assert canonical_pattern(text, dial_plan("US")) == canonical


@pytest.mark.parametrize(
    ("text", "country", "canonical"),
    [
        ("020 7946 0000", "GB", "442079460000"),
        ("2079460000", "GB", "442079460000"),
        ("00442079460000", "GB", "442079460000"),
        ("020 7946 XXXX", "GB", "44207946XXXX"),
        ("01 23 45 67 89", "FR", "33123456789"),
        ("030 123456", "DE", "4930123456"),
        ("112", "DE", "112"),
        ("06 1234 5678", "IT", "390612345678"),
        ("8 495 123-45-67", "RU", "74951234567"),
        ("800 555-01-99", "RU", "78005550199"),
        ("011 44 20 7946 0000", "US", "442079460000"),
    ],
)
def test_patterns_as_a_country_writes_them(text: str, country: str, canonical: str) -> None:
    """National and international prefixes go, as they do from a called number: else no call would ever match."""
    plan = dial_plan(country)
    assert canonical_pattern(text, plan) == canonical
    if "X" not in canonical and len(canonical) > 3:
        assert canonical_number(text, country) == canonical


@pytest.mark.parametrize("text", ["", "X", "XXX", "8X0", "+", "80", "1234567890123456", "80o8291040", "٨٠٠٨٢٩١٠٤٠"])
def test_no_patterns(text: str) -> None:
    """What is neither is refused."""
    with pytest.raises(ValueError, match=r"\w"):
        canonical_pattern(text, dial_plan("US"))


def test_expiry() -> None:
    """A date is its first moment in UTC; a time needs a zone; nothing is never."""
    assert expiry("2027-01-01") == 1798761600
    assert expiry("2027-01-01T02:00:00+02:00") == 1798761600
    assert expiry("") is None
    for text in ("soon", "2027-13-01", "2027-01-01T12:00:00"):
        with pytest.raises(ValueError, match=r"date|zone"):
            expiry(text)


def test_names_and_words() -> None:
    """Names are plain, words are from a short list, and a near miss is suggested."""
    assert account_name("acme/sales") == "acme/sales"
    with pytest.raises(ValueError, match="not a name"):
        account_name("acme sales")
    with pytest.raises(ValueError, match='did you mean "owned"'):
        choice("kind", "ownd", ("owned", "verified"))


@pytest.mark.parametrize("text", ["9999-12-31T23:59-14:00", "0001-01-01T00:00+14:00", "1969-12-31"])
def test_moments_that_cannot_be_shown_again(text: str) -> None:
    """A moment outside the years that can be printed is refused: one stored would break every list it is in."""
    with pytest.raises(ValueError, match="not between the years 1970 and 9999"):
        expiry(text)


def test_very_long_ago() -> None:
    """Longer ago than time is counted is from the beginning."""
    assert past("999999d", 1_800_000_000) == 0


def test_shown() -> None:
    """A canonical number is shown with its plus, a short code without."""
    assert (shown_number("14155550100"), shown_number("911")) == ("+14155550100", "911")


@settings(max_examples=300, deadline=None)
@given(
    st.from_regex(r"\+?[0-9]{8,15}", fullmatch=True),
    st.sampled_from(["US", "GB", "DE", "IT", "BR", "IN", "AR", "MX", "FR", "AU"]),
)
def test_numbers_read_alike_are_read_right(text: str, country: str) -> None:
    """A number that is read like its neighbours is what it would be by itself, or refused like it."""

    def read(written: str) -> str | None:
        try:
            return canonical_number(written, country)
        except ValueError:
            return None

    assert read(text) == read(f" {text}")  # a space keeps it from being read like its neighbours
