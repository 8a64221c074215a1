"""``[policy.hours]`` and ``[policy.repeated]``."""

import pytest
from pydantic import ValidationError

from sipguard.config.consent import HoursSection, RepeatedSection
from sipguard.policy.calling_hours import CallingHours
from sipguard.policy.repeated_calls import RepeatedCalls


def test_the_defaults_are_those_of_the_rules():
    """Eight to nine in the evening every day, three calls a day, for who sells."""
    assert HoursSection().hours() == CallingHours() == CallingHours(480, 1260, frozenset(range(7)), (), False)
    assert RepeatedSection().repeated() == RepeatedCalls() == RepeatedCalls(3, 86_400.0, False)


def test_what_is_given_arrives():
    """Times as minutes, days by number, codes of countries."""
    values = {"opens": "09:30", "closes": "24:00", "days": ["mon", "sat"], "countries": ["us"], "accounts": "all"}
    section = HoursSection.model_validate(values)
    assert section.hours() == CallingHours(570, 1440, frozenset((0, 5)), ("US",), True)
    assert RepeatedSection.model_validate({"calls": 5, "accounts": "all"}).repeated() == RepeatedCalls(
        5, 86_400.0, True
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"opens": "8"}, "is not a time of day like 08:00"),
        ({"closes": "24:30"}, "is not a time of day"),
        ({"opens": "21:00", "closes": "08:00"}, "closes at 08:00, which is not after 21:00 when it opens"),
        ({"days": []}, "at least 1"),
        ({"days": ["Monday"]}, "should be"),
        ({"countries": ["XX"]}, "XX"),
        ({"countries": ["GG"]}, "shares its calling code with a larger country"),
    ],
)
def test_what_cannot_be(values, message):
    """Times that are none, hours that never come, days and countries nobody knows."""
    with pytest.raises(ValidationError, match=message):
        HoursSection.model_validate(values)
