"""The numbering plans, held against phonenumbers itself."""

import random

import phonenumbers
import pytest

from sipguard.config.callers import CallersSection
from sipguard.config.numbering import numbering_plans
from sipguard.policy.caller_numbers import CallerNumbers
from sipguard.policy.premium_numbers import PremiumNumbers
from tests.policy.kit import AMERICA

CALLERS = CallersSection(allocated=("+1222",)).numbers(PremiumNumbers(), {})


def drawn(count: int) -> list[str]:
    """Numbers of all countries: half of them near a number that is assigned, half of them anything."""
    source = random.Random(20261124)
    plans = numbering_plans()
    found = []
    examples = [
        f"{number.country_code}{phonenumbers.national_significant_number(number)}"
        for number in map(phonenumbers.example_number, phonenumbers.SUPPORTED_REGIONS)
        if number is not None
    ]
    for turn in range(count):
        if turn % 2:
            example = list(source.choice(examples))
            example[source.randrange(len(example))] = source.choice("0123456789")
            found.append("".join(example))
        else:
            code = source.choice(sorted(plans))
            length = source.choice(sorted(plans[code].lengths)) + source.choice((0, 0, 0, 1))
            found.append(code + "".join(source.choice("0123456789") for _ in range(length)))
    return found


def test_the_plans_agree_with_phonenumbers() -> None:
    """Of thousands of numbers, hardly any is judged otherwise than by the far slower library."""
    different = valid = judged = 0
    judge = CallerNumbers(numbering_plans(), premium=_no_premium())
    for tn in drawn(6000):
        try:
            number = phonenumbers.parse(f"+{tn}")
        except phonenumbers.NumberParseException:
            continue
        if f"{number.country_code}{phonenumbers.national_significant_number(number)}" != tn or len(tn) < 10:
            continue
        judged += 1
        is_valid = phonenumbers.is_valid_number(number)
        valid += is_valid
        different += is_valid is not (judge.fault(tn, AMERICA) == "")
    assert judged > 3000
    assert valid > 1000
    assert different <= judged // 1000


def _no_premium() -> PremiumNumbers:
    numbers = PremiumNumbers()
    numbers._prefixes = frozenset()
    return numbers


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_an_example_number_of_every_country_may_call(region: str) -> None:
    """The library's own example is no fault of any kind."""
    number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.FIXED_LINE)
    if number is None:
        number = phonenumbers.example_number(region)
    assert number is not None
    assert CALLERS.fault(f"{number.country_code}{phonenumbers.national_significant_number(number)}", AMERICA) == ""


@pytest.mark.parametrize(
    ("tn", "fault"),
    [
        ("14155550100", ""), ("442079460018", ""), ("33123456789", ""), ("493012345678", ""), ("919876543210", ""),
        ("5511961234567", ""), ("61212345678", ""), ("390612345678", ""),
        ("12225550100", ""),  # declared to be in use
        ("13335550100", "unallocated"), ("4900301234567", "unallocated"), ("440207946001", "unallocated"),
        ("3302079460018", "invalid"), ("2101234567", "invalid"), ("141555501", "invalid"),
    ],
)  # fmt: skip
def test_some_numbers(tn: str, fault: str) -> None:
    """A national prefix behind the calling code is a mistake, a prefix the operator names is none."""
    assert CALLERS.fault(tn, AMERICA) == fault


@pytest.mark.parametrize("prefix", ["1222", "+", "+1 222", "+1222X"])
def test_a_prefix_is_written_with_a_plus(prefix: str) -> None:
    """Anything else is named as a mistake."""
    with pytest.raises(ValueError, match="allocated"):
        CallersSection(allocated=(prefix,))
