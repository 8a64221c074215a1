"""Emergency numbers, country by country: each in every disguise, and what only looks like one."""

import itertools
from pathlib import Path

import phonenumbers
import pytest

from sipguard.config.dial_plan import dial_plan
from sipguard.policy.emergency_numbers import EVERYWHERE, NUMBERS, emergency_number, is_emergency
from sipguard.sip.uri import parse_uri
from tests.policy.emergency_table import (
    EUROPEAN,
    NOT_OURS,
    OTHER_SERVICES,
    OURS,
    not_emergencies,
    not_in_metadata,
    page,
)

COUNTRIES = sorted(NUMBERS)
PAGE = Path(__file__).resolve().parents[2] / "docs" / "emergency-numbers.md"


def written(number, plan):
    """Every way to write a number under a dial plan."""
    code, national = plan.country_code, plan.national_prefix
    yield from (f"sip:{number}@h", f"sips:{number}@h;user=phone", f"tel:{number}", f"sip:{'.'.join(number)}@h")
    yield from (f"tel:{number};phone-context=+{code}", f"sip:{number};phone-context=+{code}@h;user=phone")
    yield from (f"sip:%3{number[0]}{number[1:]}@h", f"sip:{number[0]}%3{number[1]}{number[2:]}@h")
    yield from (f"sip:{number}%3Bphone-context=+{code}@h", f"sip:tel:{number}@h", f"sip:tel%3A{number}@h")
    yield from (f"sip:+{number}@h", f"sip:0{number}@h")
    if len(number) > 2:  # two digits behind these are other numbers
        prefixes = (
            "9",
            "8",
            code,
            f"+{code}",
            f"%2B{code}",
            f"00{code}",
            f"{plan.international_prefix}{code}",
            national,
        )
        yield from (f"sip:{prefix}{number}@h" for prefix in prefixes)
        yield f"tel:+{code}-{number}"


@pytest.mark.clause("EMG-03")
@pytest.mark.parametrize("country", COUNTRIES)
def test_each_number_of_a_country_is_recognised_in_every_disguise(country):
    """Prefixes, separators, escapes, contexts and nested tel URIs hide no number of any country's."""
    plan = dial_plan(country)
    # A number that is one as it stands wins over a shorter one behind a prefix: 002 in Uzbekistan, not 02.
    hidden = {
        text: found
        for number in NUMBERS[country]
        for text in written(number, plan)
        if (found := emergency_number(parse_uri(text), plan, {})) != number and found not in NUMBERS[country]
    }
    assert hidden == {}


@pytest.mark.clause("EMG-03")
@pytest.mark.parametrize("country", COUNTRIES)
def test_other_services_of_a_country_are_no_emergency(country):
    """Crisis lines, police offices, directories and the like are not taken for emergencies, nor behind a 9."""
    plan = dial_plan(country)
    texts = [form.format(number) for number in not_emergencies(country) for form in ("sip:{}@h", "tel:{}", "sip:9{}@h")]
    assert {text: found for text in texts if (found := emergency_number(parse_uri(text), plan, {}))} == {}


@pytest.mark.clause("EMG-03")
@pytest.mark.parametrize("country", COUNTRIES)
def test_a_longer_number_that_begins_with_one_is_no_emergency(country):
    """A subscriber's number or service code stays one, whatever it starts with."""
    plan = dial_plan(country)
    longer = [number + rest for number in NUMBERS[country] for rest in ("50", "5550100", "55501000")]
    texts = [form.format(number) for number in longer for form in ("sip:{}@h", "tel:{}", "sip:+{}@h")]
    assert {text: found for text in texts if (found := emergency_number(parse_uri(text), plan, {}))} == {}


@pytest.mark.clause("EMG-03")
@pytest.mark.parametrize("country", COUNTRIES)
def test_a_subscribers_number_is_no_emergency(country):
    """The metadata's examples of numbers reach subscribers, nationally, internationally and behind a 9."""
    plan = dial_plan(country)
    kinds = phonenumbers.PhoneNumberType
    examples = (
        phonenumbers.example_number_for_type(country, kind)
        for kind in (kinds.FIXED_LINE, kinds.MOBILE, kinds.TOLL_FREE, kinds.SHARED_COST, kinds.UAN)
    )
    subscribers = [phonenumbers.national_significant_number(example) for example in examples if example is not None]
    prefixes = ("", plan.national_prefix, f"+{plan.country_code}", plan.country_code, "9", "0")
    texts = [f"sip:{prefix}{number}@h" for number in subscribers for prefix in prefixes]
    assert subscribers
    assert {text: found for text in texts if (found := emergency_number(parse_uri(text), plan, {}))} == {}


@pytest.mark.clause("EMG-03")
@pytest.mark.parametrize("country", COUNTRIES)
def test_numbers_of_other_countries_are_no_emergency(country):
    """999, 911, 110 and 15 mean something only where they are answered."""
    foreign = {"911", "999", "110", "119", "15", "190", "000"} - NUMBERS[country]
    assert not any(is_emergency(number, country, {}) for number in foreign)


@pytest.mark.clause("EMG-03")
def test_nothing_that_published_metadata_lists_is_missing():
    """Every number the phonenumbers metadata calls an emergency number is in the table, or excluded with a reason."""
    candidates = ["".join(digits) for length in (2, 3) for digits in itertools.product("0123456789", repeat=length)]
    missing = {}
    for country in NUMBERS:
        known = {number for number in candidates if phonenumbers.is_emergency_number(number, country)}
        lacking = known - NUMBERS[country] - set(NOT_OURS.get(country, ()))
        if lacking:
            missing[country] = lacking
    assert missing == {}


@pytest.mark.clause("EMG-03")
def test_what_goes_beyond_the_metadata_has_a_reason():
    """Each number that is ours alone says which service answers it."""
    lacking = {country: not_in_metadata(country) - set(OURS.get(country, ())) for country in COUNTRIES}
    assert {country: numbers for country, numbers in lacking.items() if numbers} == {}


@pytest.mark.clause("EMG-03", "Directive (EU) 2018/1972 109")
@pytest.mark.parametrize("country", EUROPEAN)
def test_112_is_an_emergency_number_all_over_europe(country):
    """Every country of the European Union, and its neighbours, answers 112."""
    assert is_emergency("112", country, {})


@pytest.mark.clause("EMG-03")
def test_the_table_covers_the_world():
    """More than 200 countries have a row, and more than 40 of them name what is not an emergency there."""
    assert len(NUMBERS) > 200
    assert sum(country in OTHER_SERVICES for country in COUNTRIES) > 40
    assert {"112", "911"} == EVERYWHERE


def test_the_page_is_that_of_the_table():
    """docs/emergency-numbers.md is what ``make docs`` writes."""
    assert PAGE.read_text() == page()
