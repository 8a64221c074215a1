"""Emergency numbers by country, and every way to dial them."""

import pytest

from sipguard.policy.emergency_numbers import emergency_number, is_emergency
from sipguard.sip.uri import parse_uri
from tests.policy.kit import AMERICA, AUSTRALIA, BRAZIL, BRITAIN, FRANCE, GERMANY, INDIA

HOST = "@proxy.example"

BY_COUNTRY = {
    "US": (AMERICA, ("911", "933")),
    "GB": (BRITAIN, ("999", "112")),
    "DE": (GERMANY, ("110", "112")),
    "FR": (FRANCE, ("15", "17", "18", "112", "114", "196")),
    "IN": (INDIA, ("112", "100", "101", "102", "108")),
    "BR": (BRAZIL, ("190", "192", "193")),
    "AU": (AUSTRALIA, ("000", "112", "106")),
}


@pytest.mark.clause("EMG-03")
@pytest.mark.parametrize(
    ("country", "number"), [(country, number) for country, (_, listed) in BY_COUNTRY.items() for number in listed]
)
def test_a_countrys_numbers_are_recognised(country, number):
    """The emergency numbers of a country are emergency numbers on its trunks, as sip and as tel URI."""
    plan = BY_COUNTRY[country][0]
    assert plan.country == country
    for text in (f"sip:{number}{HOST}", f"sip:{number}{HOST};user=phone", f"tel:{number}"):
        assert emergency_number(parse_uri(text), plan, {}) == number


@pytest.mark.clause("EMG-03")
def test_another_countrys_number_is_not_an_emergency():
    """999 means nothing on a trunk in the United States, nor 911 on one in Germany."""
    assert emergency_number(parse_uri(f"sip:999{HOST}"), AMERICA, {}) is None
    assert emergency_number(parse_uri(f"sip:911{HOST}"), GERMANY, {}) is None


@pytest.mark.clause("EMG-03", "EMG-11")
@pytest.mark.parametrize(
    "text",
    [
        "sip:911@h", "SIP:911@h", "sips:911@h:5061", "sip:911@h;user=phone", "tel:911", "TEL:911",
        "tel:911;phone-context=+1", "tel:911;phone-context=example.com", "sip:911;phone-context=+1@h;user=phone",
        "sip:9-1-1@h", "sip:9.1.1@h", "sip:(911)@h", "tel:9-1-1", "sip:9%201%201@h", "sip:9_1~1@h", "sip:911#@h",
        "sip:%39%31%31@h", "sip:9%311@h", "sip:%2B1911@h", "sip:911%3Bphone-context=+1@h",
        "sip:9911@h", "sip:8911@h", "sip:0911@h", "sip:1911@h", "sip:+1911@h", "sip:+911@h", "tel:+1911", "tel:+1-911",
        "sip:91911@h", "sip:0111911@h", "sip:001911@h", "sip:9-911@h",
        "sip:tel:911@h", "sip:tel%3A911@h", "sip:911:secret@h", "sip:911", "sip:911;transport=udp",
    ],
)  # fmt: skip
def test_911_is_recognised_however_it_is_written(text):
    """Prefixes, separators, escapes, contexts and a tel URI inside a sip user part do not hide 911."""
    assert emergency_number(parse_uri(text), AMERICA, {}) == "911"


@pytest.mark.clause("EMG-03")
@pytest.mark.parametrize(
    ("text", "plan", "number"),
    [
        ("sip:0112@h", GERMANY, "112"), ("sip:+49112@h", GERMANY, "112"), ("sip:49110@h", GERMANY, "110"),
        ("sip:0049112@h", GERMANY, "112"), ("sip:9999@h", BRITAIN, "999"), ("sip:+44999@h", BRITAIN, "999"),
        ("sip:015@h", FRANCE, "15"), ("sip:+3317@h", FRANCE, "17"), ("sip:9112@h", FRANCE, "112"),
        ("sip:+91112@h", INDIA, "112"), ("sip:0108@h", INDIA, "108"), ("sip:0000@h", AUSTRALIA, "000"),
        ("sip:+61000@h", AUSTRALIA, "000"), ("sip:9933@h", AMERICA, "933"), ("sip:0190@h", BRAZIL, "190"),
    ],
)  # fmt: skip
def test_prefixes_of_other_countries_are_undone(text, plan, number):
    """Each dial plan's own prefixes and country code, and an outside-line digit, do not hide its numbers."""
    assert emergency_number(parse_uri(text), plan, {}) == number


@pytest.mark.clause("EMG-03")
@pytest.mark.parametrize(
    ("text", "plan", "number"),
    [
        ("sip:*67911@h", AMERICA, "911"), ("sip:*829911@h", AMERICA, "911"), ("sip:*67*911@h", AMERICA, "911"),
        ("sip:%2A67-9-1-1@h", AMERICA, "911"), ("sip:%2331%23911@h", AMERICA, "911"),
        ("sip:*671911%23@h", AMERICA, "911"),
        ("sip:*31%23112@h", GERMANY, "112"), ("sip:%2331%23110@h", GERMANY, "110"), ("sip:*67112@h", GERMANY, None),
        ("sip:*66911@h", AMERICA, None), ("sip:*67@h", AMERICA, None), ("sip:*67988@h", AMERICA, None),
        ("sip:%2331%23999@h", AMERICA, None),
    ],
)  # fmt: skip
def test_a_telephone_that_hides_its_number_calls_help_too(text, plan, number):
    """The code that it puts before every number does not hide an emergency number."""
    assert emergency_number(parse_uri(text), plan, {}) == number


@pytest.mark.clause("EMG-01", "RFC 5031 4.2")
@pytest.mark.parametrize(
    ("text", "service"),
    [
        ("urn:service:sos", "urn:service:sos"),
        ("URN:Service:SOS", "urn:service:sos"),
        ("urn:service:sos.fire", "urn:service:sos.fire"),
        ("urn:service:SOS.Police.x", "urn:service:sos.police.x"),
    ],
)
def test_the_service_urn_and_its_sub_services_are_emergencies(text, service):
    """``urn:service:sos`` and everything below it is recognised in any case."""
    assert emergency_number(parse_uri(text), AMERICA, {}) == service


@pytest.mark.clause("EMG-03")
@pytest.mark.parametrize(
    "text",
    [
        "sip:+14155550911@h", "sip:9115550100@h", "sip:4155559911@h", "sip:9110@h", "sip:91100@h", "sip:a911@h",
        "sip:*911@h", "sip:alice@h", "sip:311@h", "sip:h", "sip:911.example", "sip:9.1.1.0", "sip:112@h",
        "urn:service:sosx", "urn:service:counseling", "urn:nena:service:sos", "mailto:911@h", "sip:9%A91%B91@h",
        "sip:\u00b9911@h".replace("\u00b9", "%C2%B9"), "tel:+19115550100", "sip:%3b911@h",
    ],
)  # fmt: skip
def test_what_only_looks_like_911_is_not(text):
    """Subscriber numbers, other services, names and hosts are not taken for an emergency."""
    assert emergency_number(parse_uri(text), AMERICA, {}) is None


@pytest.mark.clause("EMG-03")
@pytest.mark.parametrize("text", ["sip:988@h", "sip:9988@h", "sip:1988@h", "sip:+1988@h", "tel:988"])
@pytest.mark.parametrize("overrides", [{}, {"US": ("988",)}])
def test_the_crisis_line_is_never_an_emergency(text, overrides):
    """988 is a crisis line in any spelling, even if somebody configures it."""
    assert emergency_number(parse_uri(text), AMERICA, overrides) is None


def test_two_digit_numbers_are_not_found_behind_a_bare_country_code():
    """3315 is a French service number, not 15 with a country code."""
    assert emergency_number(parse_uri(f"sip:3315{HOST}"), FRANCE, {}) is None


def test_an_override_adds_to_a_country():
    """A configured number counts beside the built-in ones, in its country only."""
    overrides = {"US": ("811",)}
    assert emergency_number(parse_uri(f"sip:9811{HOST}"), AMERICA, overrides) == "811"
    assert emergency_number(parse_uri(f"sip:911{HOST}"), AMERICA, overrides) == "911"
    assert emergency_number(parse_uri(f"sip:811{HOST}"), GERMANY, overrides) is None


def test_an_empty_override_takes_the_built_in_numbers_away():
    """A country configured with no numbers has none."""
    assert emergency_number(parse_uri(f"sip:911{HOST}"), AMERICA, {"US": ()}) is None


def test_a_country_without_a_row_has_the_two_numbers_of_every_mobile_telephone():
    """Where nothing is known, 112 and 911 are emergency numbers."""
    assert is_emergency("112", "AQ", {})
    assert is_emergency("911", "AQ", {})
