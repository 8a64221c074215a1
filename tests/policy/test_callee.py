"""The number a call reaches."""

from dataclasses import replace

import pytest

from sipguard.policy.callee import called_number
from tests.policy.kit import CUSTOMER, FRANCE, call_of, invite


@pytest.mark.clause("policy: evading filters", "policy: destinations")
@pytest.mark.parametrize(
    "user",
    [
        "+14155550150", "4155550150", "14155550150", "01114155550150", "*674155550150", "*6714155550150",
        "*67*14155550150", "%2331%234155550150", "*31%2314155550150", "14155550150%23", "4155550150%231",
        "**21*14155550150%23", "+1415555015077", "14155550150*99", "*8201114155550150",
    ],
)  # fmt: skip
def test_what_was_dialled_around_a_number_is_not_part_of_it(user: str) -> None:
    """A service code in front, what follows a hash or an asterisk, and digits that no number within +1 has."""
    assert called_number(call_of(invite(f"sip:{user}@p"))) == "14155550150"


@pytest.mark.parametrize(
    "user",
    [
        "911",
        "988",
        "411",
        "*67",
        "*98",
        "%2331%23",
        "123456",
        "*67123456",
        "*0114155550150",
        "*724155550150",
        "alice",
        "%zz",
    ],
)
def test_codes_reach_no_number(user: str) -> None:
    """Short codes, service codes alone or before something short, and what is no number at all."""
    assert called_number(call_of(invite(f"sip:{user}@p"))) is None


def test_a_service_code_stands_before_a_number_as_the_trunk_writes_it() -> None:
    """A French trunk dials a French number behind it; elsewhere nobody knows how long numbers are."""
    french = replace(CUSTOMER, dial_plan=FRANCE)
    assert called_number(call_of(invite("sip:*31%230123456789@p"), french)) == "33123456789"
    assert called_number(call_of(invite("sip:+493012345678901@p"))) == "493012345678901"
