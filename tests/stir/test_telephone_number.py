"""Canonical numbers (RFC 8224 §8.3, §8.5)."""

import pytest

from sipguard.sip.uri import parse_uri
from sipguard.stir.telephone_number import DialPlan, canonicalise, normalise_uri, tn_of_uri

US = DialPlan()
UK = DialPlan("GB", "44", "0", "00", (9, 10))
ITALY = DialPlan("IT", "39", "", "00", (9, 10, 11))


@pytest.mark.clause("AS-07", "AS-10", "PRV-13", "RFC 8224 8.3")
@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("+12155551212", "12155551212"),
        ("+1-215-555-1212", "12155551212"),
        ("+1-(215).555.1212", "12155551212"),
        ("%2B12155551212", "12155551212"),
        ("+1215555%31212", "12155551212"),
        ("2155551212", "12155551212"),
        ("215-555-1212", "12155551212"),
        ("12155551212", "12155551212"),
        ("1-215-555-1212", "12155551212"),
        ("011442079460000", "442079460000"),
        ("00442079460000", "442079460000"),
        ("442079460000", "442079460000"),
        ("+442079460000", "442079460000"),
        ("5551212", "5551212"),
        ("7042", "7042"),
    ],
)
def test_every_way_to_write_a_number_is_one_number(user: str, expected: str) -> None:
    """Plus, prefixes, separators, escapes and bare national digits come to the same canonical number."""
    assert canonicalise(user, US) == expected


@pytest.mark.clause("AS-10")
@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("02079460000", "442079460000"),
        ("2079460000", "442079460000"),
        ("0169772345", "44169772345"),
        ("0012155551212", "12155551212"),
        ("+442079460000", "442079460000"),
        ("442079460000", "442079460000"),
    ],
)
def test_another_country_has_other_prefixes(user: str, expected: str) -> None:
    """The trunk's dial plan decides what a national number is."""
    assert canonicalise(user, UK) == expected


def test_a_plan_without_national_prefix_keeps_the_leading_zero() -> None:
    """In Italy the zero belongs to the number."""
    assert canonicalise("0612345678", ITALY) == "390612345678"


@pytest.mark.clause("AS-10")
@pytest.mark.parametrize("code", ["911", "112", "933", "988", "411", "999", "000", "1911", "9911"])
def test_service_codes_stay_as_dialled(code: str) -> None:
    """Nothing is added to a service code."""
    assert canonicalise(code, US) == code
    assert canonicalise(code, UK) == code


@pytest.mark.clause("AS-09")
@pytest.mark.parametrize("user", ["*67", "#31#", "*6712155551212"])
def test_star_and_hash_are_kept(user: str) -> None:
    """Keys of special services belong to the number."""
    assert canonicalise(user, US) == user


@pytest.mark.clause("PRV-17", "PRV-18")
@pytest.mark.parametrize(
    "parameters",
    ["ext=22", "npdi;rn=+12155550000", "cic=+10288", "verstat=TN-Validation-Passed", "tgrp=x;trunk-context=y"],
)
def test_parameters_never_belong_to_the_number(parameters: str) -> None:
    """Extensions, routing numbers, trunk groups and verstat are not part of it."""
    assert canonicalise(f"+12155551212;{parameters}", US) == "12155551212"
    assert canonicalise(f"+12155551212%3B{parameters}", US) == "12155551212"


@pytest.mark.clause("AS-24")
@pytest.mark.parametrize(
    "user",
    [
        "",
        "alice",
        "+",
        "+alice",
        "+1215555121a",
        "1800FLOWERS",
        "+02155551212",
        "2155551212 ",
        " 2155551212",
        "+1 2155551212",
        "+1%202155551212",
        "++12155551212",
        "1+2155551212",
        "+12155551212\n",
        "2155551212\n",
        "+1234567890123456",
        "1234567890123456",
        "+١٢١٥٥٥٥١٢١٢",
        "٢١٥٥٥٥١٢١٢",
        "２１５５５５１２１２",
        "²155551212",
        "%D9%A2155551212",
        "%00",
        "+1215%zz",
        "*" * 40,
    ],
)
def test_what_is_not_a_number_is_none(user: str) -> None:
    """Letters, spaces, look-alike digits of other scripts and impossible lengths are no number."""
    assert canonicalise(user, US) is None


@pytest.mark.clause("RFC 8224 8.1", "PRV-12", "PRV-14", "PRV-15", "PRV-16")
@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sip:+12155551212@example.com;user=phone", "12155551212"),
        ("sip:2155551212@example.com", "12155551212"),
        ("sip:+12155551212;verstat=TN-Validation-Passed@example.com;user=phone", "12155551212"),
        ("sips:+1-215-555-1212:secret@[2001:db8::1]:5061", "12155551212"),
        ("sip:alice@example.com", None),
        ("sip:example.com", None),
        ("sip:anonymous@anonymous.invalid", None),
        ("sip:+12155551212@anonymous.invalid", None),
        ("sip:911;phone-context=+1@example.com", "911"),
        ("sip:2155551212;phone-context=+1@example.com", "12155551212"),
        ("sip:2079460000;phone-context=+44@example.com", None),
        ("tel:+1-215-555-1212", "12155551212"),
        ("tel:+1-(201).555.0123", "12015550123"),
        ("tel:12155551212", None),
        ("tel:911", "911"),
        ("tel:7042;phone-context=example.com", "7042"),
        ("tel:2155551212;phone-context=+1", "12155551212"),
        ("tel:2079460000;phone-context=+44", None),
        ("urn:service:sos", None),
    ],
)
def test_the_number_of_a_uri(uri: str, expected: str | None) -> None:
    """SIP and tel URIs name a number when their user part reads as one and its context fits the plan."""
    assert tn_of_uri(parse_uri(uri), US) == expected


@pytest.mark.clause("AS-11", "RFC 8224 8.5")
@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("SIPS:Alice:pw@EXAMPLE.com:5061;x=y", "sips:alice@example.com"),
        ("sip:%41lice%2Fx@example.com?Subject=x", "sip:alice%2Fx@example.com"),
        ("sip:a%7Eb%2d@example.com", "sip:a~b-@example.com"),
        ("sip:example.com:5060", "sip:example.com"),
        ("sip:;x=Y@example.com", "sip:;x=y@example.com"),
        ("sip:alice@[2001:DB8::1]:5060", "sip:alice@[2001:db8::1]"),
        ("tel:+1-215-555-1212", "tel:+12155551212"),
        ("URN:service:sos", "urn:service:sos"),
    ],
)
def test_a_uri_without_a_number_has_one_form(uri: str, expected: str) -> None:
    """Case, ports, passwords, parameters and needless escapes make no difference."""
    assert normalise_uri(parse_uri(uri)) == expected
